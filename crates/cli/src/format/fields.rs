//! Members that templates call otherwise than the wire does: Go's names of structure fields.

use std::collections::HashMap;

use gtmpl_ng::Value;

/// Under which key an object keeps the names that are not the wire's; no template can name it.
const NAMES: &str = "\u{0}names";

/// The value with further names for some of its members: pairs of the template's and the wire's name.
///
/// JSON does not show them.
pub(crate) fn with_names(mut value: Value, names: &[(&str, &str)]) -> Value {
    if let Value::Object(fields) | Value::Map(fields) = &mut value {
        let mut added = Vec::new();
        for (own, wire) in names {
            if let (false, Some(member)) = (fields.contains_key(*own), fields.get(*wire).cloned()) {
                fields.insert((*own).to_owned(), member);
                added.push(Value::from(*own));
            }
        }
        fields.insert(NAMES.to_owned(), Value::Array(added));
    }
    value
}

/// Whether a member is one of the wire.
pub(super) fn is_of_wire(fields: &HashMap<String, Value>, name: &str) -> bool {
    match fields.get(NAMES) {
        Some(Value::Array(added)) => {
            name != NAMES && !added.iter().any(|own| matches!(own, Value::String(own) if own == name))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::document::Document;
    use crate::format::template::{Format, Line};

    #[test]
    fn templates_know_both_names_and_json_only_the_wires() {
        let document: Document = serde_json::from_str(r#"{"ApiVersion":"1.51","Os":"linux"}"#).unwrap();
        let value = with_names(document.to_value(), &[("APIVersion", "ApiVersion"), ("Missing", "missing")]);
        let shown = |format: &str| Format::parse(format, Line::Item).unwrap().apply(value.clone(), "");
        assert_eq!(shown("{{.APIVersion}} {{.ApiVersion}}").unwrap(), "1.51 1.51");
        assert_eq!(shown("{{json .}}").unwrap(), document.to_line());
        assert!(shown("{{.Missing}}").is_err());
    }
}
