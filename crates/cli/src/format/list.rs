//! Lists of things: the default table, `--format`, `-q`.

use std::collections::HashMap;

use base::Result;
use gtmpl_ng::{FuncError, Value};

use super::table;
use super::template::{Format, Line};
use crate::flags::{Flag, Matches};

/// One thing of a list: its fields by the names that templates use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(HashMap<String, Value>);

impl Row {
    /// The row with one more field.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// The row with `.Labels` (`a=1,b=2`) and `.Label "a"`.
    pub(crate) fn with_labels<'a>(self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut labels: Vec<(String, Value)> =
            labels.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
        labels.sort_by(|left, right| left.0.cmp(&right.0));
        let line = labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        let mut row = self.with("Labels", line);
        row.0.insert(LABELS.to_owned(), Value::Map(labels.into_iter().collect()));
        row
    }
}

/// Where the method `.Label` finds the labels; no template can name it.
const LABELS: &str = "\u{0}labels";

/// The function that stands for the method `.Label`: the template library calls functions with arguments, but no methods.
pub(super) const LABEL: &str = "berthLabel";

/// The template with its calls of `.Label "a"` as calls of the function.
fn without_methods(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once(".Label ") {
        text.push_str(before);
        let is_method = !before.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '$' | ')'));
        let inside = text.rfind("{{").is_some_and(|open| text.rfind("}}").is_none_or(|close| close < open));
        if is_method && inside {
            text.push_str(LABEL);
            text.push_str(" . ");
        } else {
            text.push_str(".Label ");
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

pub(super) fn label_of(arguments: &[Value]) -> Result<Value, FuncError> {
    let (Some(Value::Object(row)), Some(Value::String(name))) = (arguments.first(), arguments.get(1)) else {
        return Err(FuncError::ExactlyXArgs("Label".to_owned(), 1));
    };
    match row.get(LABELS) {
        Some(Value::Map(labels)) => Ok(labels.get(name).cloned().unwrap_or_else(|| "".into())),
        _ => Ok("".into()),
    }
}

/// The header above `.Label "com.example.part-of"`: its last part in words.
pub(super) fn header_of_label(arguments: &[Value]) -> Result<Value, FuncError> {
    let name = arguments.get(1).map(ToString::to_string).unwrap_or_default();
    Ok(name.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ").into())
}

/// What a list is of, and how it looks without `--format`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// What errors call one of the things.
    pub(crate) what: &'static str,
    /// Every field with its header.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// The template of the default table, without the word `table`.
    pub(crate) table: &'static str,
    /// The template of `-q`.
    pub(crate) quiet: &'static str,
}

/// `--format` of a list.
pub(crate) const FORMAT: Flag = Flag::text(
    "format",
    "Format output using a custom template:\n'table':            Print output in table format with column headers (default)\n\
     'table TEMPLATE':   Print output in table format using the given Go template\n'json':             Print in JSON format\n\
     'TEMPLATE':         Print output using the given Go template",
);

impl Listing {
    /// The format that counts: what the line gives, else `-q`, else what the user's `config.json` says.
    pub(crate) fn format<'a>(&self, matches: &'a Matches, configured: &'a str) -> Option<&'a str> {
        let is_quiet = matches.is("quiet");
        match matches.text("format").filter(|format| !format.is_empty()) {
            Some(format) if !(is_quiet && format == "table") => Some(format),
            _ if is_quiet => Some(self.quiet),
            _ => Some(configured).filter(|format| !format.is_empty()),
        }
    }

    /// The text of a list.
    ///
    /// `format` is what the user gave (`table`, `table TEMPLATE`, `json`, `TEMPLATE`, or nothing).
    ///
    /// # Errors
    /// `Invalid` for a template that is wrong.
    pub(crate) fn render(&self, format: Option<&str>, rows: Vec<Row>) -> Result<String> {
        let format = format.filter(|format| !format.is_empty()).unwrap_or("table");
        let (template, is_table) = match format.strip_prefix("table") {
            Some(rest) if rest.trim().is_empty() => (self.table.to_owned(), true),
            Some(rest) => (unescape(rest.trim_start()), true),
            None if format == "json" => ("{{json .}}".to_owned(), false),
            None => (unescape(format), false),
        };
        let template = without_methods(&template);
        let item = Format::parse(&template, Line::Item)?;
        let mut text = String::new();
        if is_table {
            text = Format::parse(&template, Line::Headers)?.apply(Value::Object(self.header_row()), "headers")?;
            text.push('\n');
        }
        for mut row in rows {
            if template == "{{json .}}" {
                row.0.remove(LABELS);
            }
            text.push_str(&item.apply(Value::Object(row.0), self.what)?);
            text.push('\n');
        }
        Ok(if is_table { table::align(&text) } else { text })
    }

    fn header_row(&self) -> HashMap<String, Value> {
        self.headers.iter().map(|(field, header)| ((*field).to_owned(), Value::from(*header))).collect()
    }
}

/// A shell hands over `\t` as two characters; Docker takes both spellings.
pub(crate) fn unescape(format: &str) -> String {
    format.replace("\\t", "\t").replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: Listing = Listing {
        what: "container",
        headers: &[("ID", "CONTAINER ID"), ("Names", "NAMES"), ("Labels", "LABELS")],
        table: "{{.ID}}\t{{.Names}}",
        quiet: "{{.ID}}",
    };

    fn rows() -> Vec<Row> {
        let row = |id: &str, name: &str| Row::default().with("ID", id).with("Names", name);
        vec![
            row("0123456789ab", "web").with_labels([("b", "2"), ("a.x-y", "1")].into_iter()),
            row("ab", "a_longer_name").with_labels([].into_iter()),
        ]
    }

    #[test]
    fn every_form_of_format() {
        for (format, expected) in [
            (None, "CONTAINER ID   NAMES\n0123456789ab   web\nab             a_longer_name\n"),
            (Some("table"), "CONTAINER ID   NAMES\n0123456789ab   web\nab             a_longer_name\n"),
            (
                Some("table {{.Names}}\\t{{lower .ID}}"),
                "NAMES           CONTAINER ID\nweb             0123456789ab\na_longer_name   ab\n",
            ),
            (
                Some("table {{.Label \"a.x-y\"}}\t{{.ID}}"),
                "x y       CONTAINER ID\n1         0123456789ab\n          ab\n",
            ),
            (Some("{{.ID}}:{{.Label \"b\"}}"), "0123456789ab:2\nab:\n"),
            (
                Some("json"),
                "{\"ID\":\"0123456789ab\",\"Labels\":\"a.x-y=1,b=2\",\"Names\":\"web\"}\n{\"ID\":\"ab\",\"Labels\":\"\",\"Names\":\"a_longer_name\"}\n",
            ),
        ] {
            assert_eq!(LISTING.render(format, rows()).unwrap(), expected, "{format:?}");
        }
        assert_eq!(LISTING.render(None, vec![]).unwrap(), "CONTAINER ID   NAMES\n");
    }

    #[test]
    fn the_method_is_only_replaced_where_it_is_one() {
        for (template, expected) in [
            ("{{.Label \"a\"}}", "{{berthLabel . \"a\"}}"),
            ("{{if (.Label \"a\")}}x{{end}}", "{{if (berthLabel . \"a\")}}x{{end}}"),
            ("a.Label {{.X.Label \"a\"}} .Label x", "a.Label {{.X.Label \"a\"}} .Label x"),
            ("{{.Labels}} {{.Label}}", "{{.Labels}} {{.Label}}"),
        ] {
            assert_eq!(without_methods(template), expected);
        }
    }

    #[test]
    fn a_field_that_is_not_there() {
        let message = LISTING.render(Some("{{.Foo}}"), rows()).unwrap_err().to_string();
        assert_eq!(
            message,
            "template parsing error: template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type container"
        );
    }
}
