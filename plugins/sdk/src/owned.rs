//! Values that a plugin makes.

use crate::nested::number;
use crate::wire::{put_bytes, put_varint};
use crate::{Array, KvList, Value};

/// A value of any kind that owns what it holds; arrays and lists are built from these.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum OwnedValue {
    /// No such field. As a new value: delete it. Inside an array or a list the same as empty.
    #[default]
    Absent,
    /// An attribute is there, its value is not set.
    Empty,
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An array of values.
    Array(Vec<OwnedValue>),
    /// A list of keys and values.
    KvList(Vec<(String, OwnedValue)>),
}

/// Levels of nesting that are copied; the host refuses what is deeper than 32 by default.
const DEPTH_MAX: usize = 64;

impl OwnedValue {
    /// A copy of a value. What is nested deeper than 64 levels is left out.
    pub fn copy_of(value: Value<'_>) -> Self {
        copy(value, DEPTH_MAX)
    }

    /// The encoded OTLP `ArrayValue` of an array, `KeyValueList` of a list; nothing for the other kinds.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            OwnedValue::Array(values) => {
                values.iter().for_each(|value| put_bytes(&mut out, number::VALUES, &value.any_value()));
            }
            OwnedValue::KvList(pairs) => pairs.iter().for_each(|(key, value)| {
                let mut pair = Vec::new();
                put_bytes(&mut pair, number::KEY, key.as_bytes());
                put_bytes(&mut pair, number::VALUE, &value.any_value());
                put_bytes(&mut out, number::VALUES, &pair);
            }),
            _ => {}
        }
        out
    }

    /// The encoded `AnyValue`.
    pub(crate) fn any_value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let tag = |number: u32, wire: u64| u64::from(number) << 3 | wire;
        match self {
            OwnedValue::Absent | OwnedValue::Empty => {}
            OwnedValue::Text(text) => put_bytes(&mut out, number::STRING, text.as_bytes()),
            OwnedValue::Bytes(bytes) => put_bytes(&mut out, number::BYTES, bytes),
            OwnedValue::Array(_) => put_bytes(&mut out, number::ARRAY, &self.encode()),
            OwnedValue::KvList(_) => put_bytes(&mut out, number::KV_LIST, &self.encode()),
            OwnedValue::Bool(bool) => {
                put_varint(&mut out, tag(number::BOOL, 0));
                put_varint(&mut out, u64::from(*bool));
            }
            OwnedValue::Int(int) => {
                put_varint(&mut out, tag(number::INT, 0));
                put_varint(&mut out, *int as u64);
            }
            OwnedValue::Double(double) => {
                put_varint(&mut out, tag(number::DOUBLE, 1));
                out.extend_from_slice(&double.to_le_bytes());
            }
        }
        out
    }
}

fn copy(value: Value<'_>, depth: usize) -> OwnedValue {
    let Some(depth) = depth.checked_sub(1) else {
        return OwnedValue::Empty;
    };
    match value {
        Value::Absent => OwnedValue::Absent,
        Value::Empty => OwnedValue::Empty,
        Value::Text(text) => OwnedValue::Text(text.to_owned()),
        Value::Bool(bool) => OwnedValue::Bool(bool),
        Value::Int(int) => OwnedValue::Int(int),
        Value::Double(double) => OwnedValue::Double(double),
        Value::Bytes(bytes) => OwnedValue::Bytes(bytes.to_vec()),
        Value::Array(array) => OwnedValue::Array(array.iter().map(|value| copy(value, depth)).collect()),
        Value::KvList(list) => {
            OwnedValue::KvList(list.iter().map(|(key, value)| (key.to_owned(), copy(value, depth))).collect())
        }
    }
}

macro_rules! from {
    ($($type:ty: $value:ident => $made:expr;)*) => {$(
        impl From<$type> for OwnedValue {
            fn from($value: $type) -> Self { $made }
        }
    )*};
}

from! {
    &str: text => OwnedValue::Text(text.to_owned());
    String: text => OwnedValue::Text(text);
    bool: bool => OwnedValue::Bool(bool);
    i64: int => OwnedValue::Int(int);
    i32: int => OwnedValue::Int(int.into());
    f64: double => OwnedValue::Double(double);
    Vec<u8>: bytes => OwnedValue::Bytes(bytes);
    &[u8]: bytes => OwnedValue::Bytes(bytes.to_vec());
    Vec<OwnedValue>: values => OwnedValue::Array(values);
    Vec<(String, OwnedValue)>: pairs => OwnedValue::KvList(pairs);
    Array<'_>: array => OwnedValue::copy_of(Value::Array(array));
    KvList<'_>: list => OwnedValue::copy_of(Value::KvList(list));
    Value<'_>: value => OwnedValue::copy_of(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inside;

    fn sample() -> OwnedValue {
        OwnedValue::KvList(vec![
            ("text".to_owned(), "a@b.c".into()),
            (
                "list".to_owned(),
                OwnedValue::Array(vec![1i64.into(), (-2i64).into(), 0.5.into(), true.into(), OwnedValue::Empty]),
            ),
            ("bytes".to_owned(), vec![0u8, 255].into()),
            (
                "deep".to_owned(),
                OwnedValue::KvList(vec![("in".to_owned(), OwnedValue::Array(vec!["x".into(), "y".into()]))]),
            ),
        ])
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let encoded = sample().encode();
        assert_eq!(OwnedValue::copy_of(Value::KvList(KvList::encoded(&encoded))), sample());
    }

    #[test]
    fn a_replaced_value_leaves_the_rest_as_it_stands() {
        let mut encoded = sample().encode();
        // An unknown field, number 99, at the end.
        put_bytes(&mut encoded, 99, b"future");
        let list = Value::KvList(KvList::encoded(&encoded));
        let mut seen = Vec::new();
        let replaced = list.replace_inside(&mut |key, value| {
            seen.extend(value.as_text().map(|text| (key.map(str::to_owned), text.to_owned())));
            if value == Value::Text("y") { Inside::Replaced("a longer text".into()) } else { Inside::Entered }
        });
        let replaced = replaced.unwrap_or_default();
        assert!(replaced.ends_with(b"future"));
        let expected = ["text", "in", "in"]
            .map(|key| Some(key.to_owned()))
            .into_iter()
            .zip(["a@b.c", "x", "y"].map(str::to_owned));
        assert_eq!(seen, expected.collect::<Vec<_>>());
        let text = format!("{:?}", OwnedValue::copy_of(Value::KvList(KvList::encoded(&replaced))));
        assert_eq!(text, format!("{:?}", sample()).replace("\"y\"", "\"a longer text\""));
        assert_eq!(list.replace_inside(&mut |_, _| Inside::Entered), None);
    }

    #[test]
    fn garbage_and_bottomless_nesting_end() {
        assert_eq!(Array::encoded(&[0xff; 40]).iter().count(), 0);
        let mut value = OwnedValue::Text("core".to_owned());
        for _ in 0..200 {
            value = OwnedValue::Array(vec![value]);
        }
        let encoded = value.encode();
        let array = Value::Array(Array::encoded(&encoded));
        assert_eq!(array.replace_inside(&mut |_, _| Inside::Entered), None);
        assert!(matches!(OwnedValue::copy_of(array), OwnedValue::Array(_)));
    }
}
