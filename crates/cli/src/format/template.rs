//! Go templates, as `--format` takes them.

use base::{Error, Result};
use gtmpl_ng::{Context, Template, TemplateError, Value};

use super::functions;

/// A template that has been parsed.
pub(crate) struct Format {
    template: Template,
    text: String,
}

/// What a template is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A thing.
    Item,
    /// The names of the columns.
    Headers,
}

impl Format {
    /// Parses `text`.
    ///
    /// # Errors
    /// `Invalid` with the place of the mistake.
    pub(crate) fn parse(text: &str, line: Line) -> Result<Self> {
        let mut template = Template::default();
        match line {
            Line::Item => functions::register(&mut template),
            Line::Headers => functions::register_for_headers(&mut template),
        }
        template
            .parse(text)
            .map_err(|error| Error::invalid(format!("template parsing error: {}", explain(&error.into(), text, ""))))?;
        Ok(Self { template, text: text.to_owned() })
    }

    /// The text for `value`, which the error calls `what`.
    ///
    /// # Errors
    /// `Invalid` for a field that `value` does not have, or a function that does not fit.
    pub(crate) fn apply(&self, value: Value, what: &str) -> Result<String> {
        self.template.render(&Context::from(value)).map_err(|error| {
            Error::invalid(format!("template parsing error: {}", explain(&error.into(), &self.text, what)))
        })
    }
}

/// `template: :1:2: executing "" at <.Foo>: …`, as Go says it, with Go's columns.
fn explain(error: &TemplateError, text: &str, what: &str) -> String {
    let (context, message) = match error {
        TemplateError::ExecError(error) => match error.as_structured() {
            Some(error) => (&error.context, error.message.as_str()),
            None => return format!("template: {error}"),
        },
        TemplateError::ParseError(gtmpl_ng::ParseError::WithContext(context, message)) => {
            return format!("template: :{}: {message}", context.line);
        }
        _ => return format!("template: {error}"),
    };
    let line = text.lines().nth(context.line.saturating_sub(1)).unwrap_or_default();
    let start = context.col.saturating_sub(1);
    let construct = line.get(start..start + context.len).unwrap_or(line);
    // The library keeps the name of a missing field in its message only, followed by all of the value.
    let message = match message.strip_prefix("no field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) if what.is_empty() => format!("map has no entry for key \"{field}\""),
        Some((field, _)) => format!("can't evaluate field {field} in type {what}"),
        None => message.to_owned(),
    };
    format!("template: :{}:{start}: executing \"\" at <{construct}>: {message}", context.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::document::Document;

    fn render(format: &str, json: &str) -> Result<String> {
        let document: Document = serde_json::from_str(json).unwrap();
        Format::parse(format, Line::Item)?.apply(document.to_value(), "")
    }

    const CONTAINER: &str = r#"{"Id":"0123456789abcdef","Name":"/web","State":{"Running":true,"Pid":42},
        "Config":{"Env":["A=1","B=2"],"Labels":{"com.x":"y"}},"Args":[],"Size":1.5}"#;

    #[test]
    fn what_scripts_ask_for() {
        for (format, expected) in [
            ("{{.State.Running}}", "true"),
            ("{{.State.Pid}} {{.Size}}", "42 1.5"),
            ("{{json .State}}", r#"{"Pid":42,"Running":true}"#),
            ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
            ("{{range $i, $e := .Config.Env}}{{$i}}:{{$e}} {{end}}", "0:A=1 1:B=2 "),
            ("{{index .Config.Labels \"com.x\"}}", "y"),
            ("{{.Config.Labels.missing}}", "<no value>"),
            ("{{join .Config.Env \",\"}}", "A=1,B=2"),
            ("{{slice .Id 0 4}} {{truncate .Id 4}} {{upper .Name}} {{title \"a b\"}}", "0123 0123 /WEB A B"),
            ("{{range split .Name \"e\"}}[{{.}}]{{end}}", "[/w][b]"),
            ("{{if .Args}}some{{else}}none{{end}}", "none"),
            ("{{pad .Name 1 2}}|", " /web  |"),
            ("{{printf \"%-6s|%q\" .Name .Name}}", "/web  |\"/web\""),
            ("{{len .Config.Env}} {{eq .State.Pid 42}}", "2 true"),
            ("{{.Config.Env}}", "[A=1 B=2]"),
        ] {
            assert_eq!(render(format, CONTAINER).unwrap(), expected, "{format}");
        }
    }

    #[test]
    fn mistakes_are_shown() {
        for (format, expected) in [
            (
                "{{.Missing}}",
                "template parsing error: template: :1:2: executing \"\" at <.Missing>: map has no entry for key \"Missing\"",
            ),
            (
                "x {{.State.Missing}}",
                "template parsing error: template: :1:4: executing \"\" at <.State.Missing>: map has no entry for key \"Missing\"",
            ),
        ] {
            assert_eq!(render(format, CONTAINER).unwrap_err().to_string(), expected, "{format}");
        }
        for format in ["{{", "{{.A", "{{nope .}}", "{{if}}{{end}}", "{{end}}"] {
            let message = render(format, CONTAINER).unwrap_err().to_string();
            assert!(message.starts_with("template parsing error: template: "), "{format}: {message}");
        }
    }
}
