//! JSON documents whose keys stay in the order in which they came.

use std::collections::HashMap;
use std::fmt;

use super::fields::is_of_wire;
use gtmpl_ng::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Number;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Document {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Document>),
    Object(Vec<(String, Document)>),
}

/// Fields whose keys are the user's and not the API's: a key that they lack is no error of the template.
const MAPS: &[&str] = &[
    "Annotations",
    "Attributes",
    "DriverOpts",
    "ExposedPorts",
    "Labels",
    "Networks",
    "Opts",
    "Options",
    "PortBindings",
    "Ports",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "UsageData",
    "Volumes",
];

impl Document {
    /// The value of `key` of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// As a template sees it.
    pub(crate) fn to_value(&self) -> Value {
        self.to_value_at("")
    }

    fn to_value_at(&self, field: &str) -> Value {
        match self {
            Self::Null => Value::Nil,
            Self::Boolean(value) => Value::Bool(*value),
            Self::Number(number) => number_to_value(number),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(entries) => {
                let fields: HashMap<String, Value> =
                    entries.iter().map(|(key, value)| (key.clone(), value.to_value_at(key))).collect();
                // `Config` is a structure of a container and a map of its log driver, which has nothing but text in it.
                let is_map = MAPS.contains(&field)
                    || (field == "Config" && entries.iter().all(|(_, value)| matches!(value, Self::Text(_))));
                if is_map { Value::Map(fields) } else { Value::Object(fields) }
            }
        }
    }

    /// What a template's value says as JSON; the keys of objects are sorted.
    pub(crate) fn from_value(value: &Value) -> Self {
        match value {
            Value::NoValue | Value::Nil | Value::Function(_) => Self::Null,
            Value::Bool(value) => Self::Boolean(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => Self::Number(number_from_value(number)),
            Value::Array(items) => Self::List(items.iter().map(Self::from_value).collect()),
            Value::Object(fields) | Value::Map(fields) => {
                let mut entries: Vec<_> = fields
                    .iter()
                    .filter(|(key, value)| !matches!(value, Value::Function(_)) && is_of_wire(fields, key))
                    .map(|(key, value)| (key.clone(), Self::from_value(value)))
                    .collect();
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                Self::Object(entries)
            }
        }
    }

    /// On one line.
    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// With four blanks per level, as `inspect` prints it.
    pub(crate) fn to_pretty(&self) -> String {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        // Neither a vector nor a document can fail to be written.
        let _ = self.serialize(&mut serializer);
        String::from_utf8(bytes).unwrap_or_default()
    }
}

fn number_to_value(number: &Number) -> Value {
    if let Some(number) = number.as_i64() {
        Value::from(number)
    } else if let Some(number) = number.as_u64() {
        Value::from(number)
    } else {
        Value::from(number.as_f64().unwrap_or_default())
    }
}

fn number_from_value(number: &gtmpl_ng::Number) -> Number {
    match number.kind() {
        gtmpl_ng::NumberKind::Signed(number) => Number::from(number),
        gtmpl_ng::NumberKind::Unsigned(number) => Number::from(number),
        gtmpl_ng::NumberKind::Float(number) => Number::from_f64(number).unwrap_or_else(|| Number::from(0)),
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
        Ok(Document::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
        Ok(Document::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
        Ok(Document::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
        Ok(Number::from_f64(value).map_or(Document::Null, Document::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Document, E> {
        Ok(Document::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Document, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Document::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Document, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Document::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_keys() {
        let document: Document = serde_json::from_str(r#"{"z":1,"a":[true,null,{}],"m":"x","e":[]}"#).unwrap();
        assert_eq!(document.to_line(), r#"{"z":1,"a":[true,null,{}],"m":"x","e":[]}"#);
        let expected = "{\n    \"z\": 1,\n    \"a\": [\n        true,\n        null,\n        {}\n    ],\n    \"m\": \"x\",\n    \"e\": []\n}";
        assert_eq!(document.to_pretty(), expected);
    }

    #[test]
    fn survives_a_template() {
        let text = r#"{"a":1,"b":[1.5,"x"],"c":{"d":true,"e":null}}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert_eq!(Document::from_value(&document.to_value()).to_line(), text);
    }
}
