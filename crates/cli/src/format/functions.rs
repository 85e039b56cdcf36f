//! The functions that Docker adds to Go's templates.

use gtmpl_ng::{Func, FuncError, Template, Value};

use super::document::Document;

/// Adds all of them.
pub(crate) fn register(template: &mut Template) {
    const ALL: &[(&str, Func)] = &[
        ("join", join),
        ("json", json),
        (super::list::LABEL, super::list::label_of),
        ("lower", lower),
        ("pad", pad),
        ("split", split),
        ("title", title),
        ("truncate", truncate),
        ("upper", upper),
    ];
    template.add_funcs(ALL);
}

/// The same names for the line of headers, which only cut and fill.
pub(crate) fn register_for_headers(template: &mut Template) {
    fn same(arguments: &[Value]) -> Result<Value, FuncError> {
        argument("", arguments, 0).cloned()
    }
    const ALL: &[(&str, Func)] = &[
        ("join", same),
        ("json", same),
        (super::list::LABEL, super::list::header_of_label),
        ("lower", same),
        ("pad", pad),
        ("split", same),
        ("title", same),
        ("truncate", same),
        ("upper", same),
    ];
    template.add_funcs(ALL);
}

fn argument<'a>(name: &str, arguments: &'a [Value], index: usize) -> Result<&'a Value, FuncError> {
    arguments.get(index).ok_or_else(|| FuncError::AtLeastXArgs(name.to_owned(), index + 1))
}

fn text(name: &str, arguments: &[Value], index: usize) -> Result<String, FuncError> {
    match argument(name, arguments, index)? {
        Value::String(text) => Ok(text.clone()),
        Value::NoValue | Value::Nil => Ok(String::new()),
        other => Err(FuncError::Generic(format!("{name}: expected text, got {other}"))),
    }
}

fn length(name: &str, arguments: &[Value], index: usize) -> Result<usize, FuncError> {
    let number = match argument(name, arguments, index)? {
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    // Nobody wants a wider column, and a template may not ask for all memory.
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) if number <= 1 << 16 => Ok(number),
        _ => Err(FuncError::Generic(format!("{name}: expected a length of at most 65536"))),
    }
}

fn json(arguments: &[Value]) -> Result<Value, FuncError> {
    Ok(Document::from_value(argument("json", arguments, 0)?).to_line().into())
}

fn join(arguments: &[Value]) -> Result<Value, FuncError> {
    let separator = text("join", arguments, 1)?;
    match argument("join", arguments, 0)? {
        Value::Array(items) => Ok(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(&separator).into()),
        Value::NoValue | Value::Nil => Ok("".into()),
        other => Err(FuncError::Generic(format!("join: expected a list, got {other}"))),
    }
}

fn split(arguments: &[Value]) -> Result<Value, FuncError> {
    let (source, separator) = (text("split", arguments, 0)?, text("split", arguments, 1)?);
    let parts: Vec<Value> = if separator.is_empty() {
        source.chars().map(|letter| letter.to_string().into()).collect()
    } else {
        source.split(separator.as_str()).map(Value::from).collect()
    };
    Ok(parts.into())
}

fn lower(arguments: &[Value]) -> Result<Value, FuncError> {
    Ok(text("lower", arguments, 0)?.to_lowercase().into())
}

fn upper(arguments: &[Value]) -> Result<Value, FuncError> {
    Ok(text("upper", arguments, 0)?.to_uppercase().into())
}

fn title(arguments: &[Value]) -> Result<Value, FuncError> {
    let mut titled = String::new();
    let mut starts = true;
    for letter in text("title", arguments, 0)?.chars() {
        if starts {
            titled.extend(letter.to_uppercase());
        } else {
            titled.push(letter);
        }
        starts = !(letter.is_alphanumeric() || letter == '_' || letter == '\'');
    }
    Ok(titled.into())
}

fn truncate(arguments: &[Value]) -> Result<Value, FuncError> {
    let (source, length) = (text("truncate", arguments, 0)?, length("truncate", arguments, 1)?);
    Ok(source.chars().take(length).collect::<String>().into())
}

/// `pad TEXT BEFORE AFTER`; nothing stays nothing.
fn pad(arguments: &[Value]) -> Result<Value, FuncError> {
    let source = text("pad", arguments, 0)?;
    if source.is_empty() {
        return Ok(source.into());
    }
    let (before, after) = (length("pad", arguments, 1)?, length("pad", arguments, 2)?);
    Ok(format!("{}{source}{}", " ".repeat(before), " ".repeat(after)).into())
}
