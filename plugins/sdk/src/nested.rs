//! Arrays and key-value lists: decoded as they are walked, from the bytes that the client sent.

use crate::wire::{Fields, Payload, put_bytes};
use crate::{OwnedValue, Value};

/// Field numbers of `opentelemetry.proto.common.v1`.
pub(crate) mod number {
    pub const STRING: u32 = 1;
    pub const BOOL: u32 = 2;
    pub const INT: u32 = 3;
    pub const DOUBLE: u32 = 4;
    pub const ARRAY: u32 = 5;
    pub const KV_LIST: u32 = 6;
    pub const BYTES: u32 = 7;
    /// `ArrayValue.values` and `KeyValueList.values`.
    pub const VALUES: u32 = 1;
    pub const KEY: u32 = 1;
    pub const VALUE: u32 = 2;
}

/// An array of values.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Array<'a> {
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// An array from an encoded OTLP `ArrayValue`.
    pub const fn encoded(bytes: &'a [u8]) -> Self {
        Array { bytes }
    }

    /// The encoded OTLP `ArrayValue`.
    pub const fn as_encoded(self) -> &'a [u8] {
        self.bytes
    }

    /// The values, in their order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        elements(self.bytes).map(any_value)
    }
}

/// A list of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct KvList<'a> {
    bytes: &'a [u8],
}

impl<'a> KvList<'a> {
    /// A list from an encoded OTLP `KeyValueList`.
    pub const fn encoded(bytes: &'a [u8]) -> Self {
        KvList { bytes }
    }

    /// The encoded OTLP `KeyValueList`.
    pub const fn as_encoded(self) -> &'a [u8] {
        self.bytes
    }

    /// The keys and values, in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        elements(self.bytes).map(|pair| (key_of(pair), value_of(pair)))
    }
}

/// The elements of an `ArrayValue` or a `KeyValueList`.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields::of(list).filter_map(|field| match field.payload {
        Payload::Bytes(bytes) if field.number == number::VALUES => Some(bytes),
        _ => None,
    })
}

/// The key of a `KeyValue`.
fn key_of(pair: &[u8]) -> &str {
    single(pair, number::KEY).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default()
}

/// The value of a `KeyValue`.
fn value_of(pair: &[u8]) -> Value<'_> {
    single(pair, number::VALUE).map_or(Value::Empty, any_value)
}

/// A field that a message has at most once: of several, the last counts (protobuf encoding, "Last One Wins").
fn single(message: &[u8], number: u32) -> Option<&[u8]> {
    let last = Fields::of(message).filter(|field| field.number == number).last()?;
    match last.payload {
        Payload::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// An encoded `AnyValue`.
pub(crate) fn any_value(message: &[u8]) -> Value<'_> {
    let known = number::STRING..=number::BYTES;
    let Some(field) = Fields::of(message).filter(|field| known.contains(&field.number)).last() else {
        return Value::Empty;
    };
    match (field.number, field.payload) {
        (number::STRING, Payload::Bytes(text)) => std::str::from_utf8(text).map_or(Value::Bytes(text), Value::Text),
        (number::BOOL, Payload::Varint(bool)) => Value::Bool(bool != 0),
        (number::INT, Payload::Varint(int)) => Value::Int(int as i64),
        (number::DOUBLE, Payload::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        (number::ARRAY, Payload::Bytes(bytes)) => Value::Array(Array::encoded(bytes)),
        (number::KV_LIST, Payload::Bytes(bytes)) => Value::KvList(KvList::encoded(bytes)),
        (number::BYTES, Payload::Bytes(bytes)) => Value::Bytes(bytes),
        _ => Value::Empty,
    }
}

/// What becomes of a value inside another.
#[derive(Clone, Debug, PartialEq)]
pub enum Inside {
    /// It stays as it is, and so does what is in it.
    Left,
    /// It stays, and what is in it is asked about.
    Entered,
    /// This takes its place.
    Replaced(OwnedValue),
}

/// What [`Value::replace_inside`] asks about: a value inside, and the key that it is under, the innermost one.
pub type Replace<'f> = dyn FnMut(Option<&str>, Value<'_>) -> Inside + 'f;

/// Levels of nesting that [`Value::replace_inside`] goes into. The host refuses what is deeper than 32 by default.
const DEPTH_MAX: usize = 64;

impl Value<'_> {
    /// Replaces values inside an array or a key-value list, at any depth: `replace` is asked about each, arrays and
    /// lists before what is in them, with the innermost key that it is under. The answer is the encoded `ArrayValue`
    /// or `KeyValueList`, if anything was replaced; what was not is copied as it stands.
    pub fn replace_inside(self, replace: &mut Replace<'_>) -> Option<Vec<u8>> {
        match self {
            Value::Array(array) => rewrite_list(array.bytes, false, None, replace, DEPTH_MAX),
            Value::KvList(list) => rewrite_list(list.bytes, true, None, replace, DEPTH_MAX),
            _ => None,
        }
    }
}

/// Copies a message, with those of its length-delimited fields replaced for which `replace` has something.
fn rewrite(message: &[u8], mut replace: impl FnMut(u32, &[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    for field in Fields::of(message) {
        let replaced = match field.payload {
            Payload::Bytes(bytes) => replace(field.number, bytes),
            _ => None,
        };
        if let Some(bytes) = replaced {
            let out = out.get_or_insert_with(|| message.get(..copied).unwrap_or_default().to_vec());
            put_bytes(out, field.number, &bytes);
        } else if let Some(out) = &mut out {
            out.extend_from_slice(field.raw);
        }
        copied += field.raw.len();
    }
    out
}

fn rewrite_list(
    list: &[u8],
    pairs: bool,
    key: Option<&str>,
    replace: &mut Replace<'_>,
    depth: usize,
) -> Option<Vec<u8>> {
    let depth = depth.checked_sub(1)?;
    rewrite(list, |field, element| match (field, pairs) {
        (number::VALUES, true) => {
            let key = key_of(element);
            rewrite(element, |field, value| {
                if field == number::VALUE { rewrite_value(value, Some(key), replace, depth) } else { None }
            })
        }
        (number::VALUES, false) => rewrite_value(element, key, replace, depth),
        _ => None,
    })
}

fn rewrite_value(value: &[u8], key: Option<&str>, replace: &mut Replace<'_>, depth: usize) -> Option<Vec<u8>> {
    match replace(key, any_value(value)) {
        Inside::Left => return None,
        Inside::Entered => {}
        Inside::Replaced(replaced) => return Some(replaced.any_value()),
    }
    rewrite(value, |field, bytes| match field {
        number::ARRAY => rewrite_list(bytes, false, key, replace, depth),
        number::KV_LIST => rewrite_list(bytes, true, key, replace, depth),
        _ => None,
    })
}
