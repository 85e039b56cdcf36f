//! Changes JSON documents as trees: a value becomes another's, or one that programs get wrong; members come, go and double.

use crate::Random;
use serde_json::{Map, Value, json};

/// Changes one place of the document `input`, with a piece of `other` now and then. What is no JSON stays as it is.
pub fn reshape(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let Ok(mut document) = serde_json::from_slice::<Value>(input) else { return };
    let piece = serde_json::from_slice::<Value>(other).ok().map(|mut other| {
        let count = count(&other);
        nth(&mut other, &mut random.below(count)).cloned().unwrap_or(Value::Null)
    });
    let places = count(&document);
    if let Some(place) = nth(&mut document, &mut random.below(places)) {
        change(place, piece, random);
    }
    if let Ok(bytes) = serde_json::to_vec(&document) {
        *input = bytes;
    }
}

fn change(place: &mut Value, piece: Option<Value>, random: &mut Random) {
    match (random.below(4), &mut *place) {
        (0, Value::Object(members)) if !members.is_empty() => remove(members, random),
        (1, Value::Object(members)) => {
            let name = member(members, random).unwrap_or_default();
            members.insert(format!("{name}x"), piece.unwrap_or(Value::Null));
        }
        (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(random.below(items.len()))),
        (1, Value::Array(items)) if !items.is_empty() => {
            let item = items[random.below(items.len())].clone();
            items.resize(items.len() + 1 + random.below(64), item);
        }
        (2, place) if piece.is_some() => *place = piece.unwrap_or_default(),
        (_, place) => *place = strange(random),
    }
}

fn member(members: &Map<String, Value>, random: &mut Random) -> Option<String> {
    members.keys().nth(random.below(members.len())).cloned()
}

fn remove(members: &mut Map<String, Value>, random: &mut Random) {
    if let Some(name) = member(members, random) {
        members.remove(&name);
    }
}

fn strange(random: &mut Random) -> Value {
    let all = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("\u{0}"),
        json!(".."),
        json!("/"),
        json!("ä\u{202e}"),
        json!("sha256:"),
        json!("x".repeat(5000)),
        json!([]),
        json!({}),
        json!([[[[[[[[[[]]]]]]]]]]),
    ];
    all[random.below(all.len())].clone()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with this number, the root first, each before what is in it.
fn nth<'a>(value: &'a mut Value, number: &mut usize) -> Option<&'a mut Value> {
    if *number == 0 {
        return Some(value);
    }
    *number -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, number)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, number)),
        _ => None,
    }
}
