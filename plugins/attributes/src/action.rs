//! What can be done to a field.

use sha2::{Digest, Sha256};
use sluicebox_plugin::{Array, KvList, OwnedValue, Value, config};

use crate::registers::{New, Registers};

/// One action; registers by their position.
#[derive(Debug)]
pub enum Action {
    /// Gives the field that value.
    Set(usize, Constant),
    /// Takes the field away.
    Delete(usize),
    /// Gives one field the value of another, if that has one.
    Copy {
        /// Whose value.
        from: usize,
        /// Which is set.
        to: usize,
    },
    /// The same, and takes the other away.
    Rename {
        /// Which is taken away.
        from: usize,
        /// Which is set.
        to: usize,
    },
    /// Replaces the value by the SHA-256 of its text.
    Hash(usize),
    /// Turns the value into another type, where that can be done.
    Convert(usize, Kind),
    /// Cuts text and bytes to so many bytes.
    Truncate(usize, usize),
}

/// What a value is converted to.
#[config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An integer: text is read, a double loses its fraction, true is 1.
    Int,
    /// A double.
    Double,
    /// `true` or `false`: text is read, a number is true unless it is 0.
    Bool,
    /// Text.
    String,
}

/// A value of the config.
#[derive(Debug)]
pub struct Constant {
    value: OwnedValue,
    /// The value as a cell has it, if it is an array or a list.
    encoded: Vec<u8>,
}

impl Constant {
    /// That value.
    pub fn new(value: OwnedValue) -> Self {
        Constant { encoded: value.encode(), value }
    }

    fn value(&self) -> Value<'_> {
        match &self.value {
            OwnedValue::Absent => Value::Absent,
            OwnedValue::Empty => Value::Empty,
            OwnedValue::Text(text) => Value::Text(text),
            OwnedValue::Bool(bool) => Value::Bool(*bool),
            OwnedValue::Int(int) => Value::Int(*int),
            OwnedValue::Double(double) => Value::Double(*double),
            OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
            OwnedValue::Array(_) => Value::Array(Array::encoded(&self.encoded)),
            OwnedValue::KvList(_) => Value::KvList(KvList::encoded(&self.encoded)),
        }
    }
}

impl Action {
    /// Does it, over a whole batch.
    pub fn run<'a>(&'a self, registers: &mut Registers<'a>) {
        let delete = |now: New<'a>| present(now).map(|_| New::Known(Value::Absent));
        match self {
            Action::Set(to, constant) => registers.set(*to, constant.value()),
            Action::Delete(at) => registers.change(*at, *at, delete),
            Action::Copy { from, to } => registers.change(*to, *from, present),
            Action::Rename { from, to } => {
                registers.change(*to, *from, present);
                registers.change(*from, *from, delete);
            }
            Action::Hash(at) => registers.change(*at, *at, |now| hash(now.value()).map(New::Made)),
            Action::Convert(at, kind) => registers.change(*at, *at, |now| convert(now.value(), *kind)),
            Action::Truncate(at, bytes) => registers.change(*at, *at, |now| truncate(now, *bytes)),
        }
    }
}

/// The value, if there is one.
fn present(now: New<'_>) -> Option<New<'_>> {
    (!now.value().is_absent()).then_some(now)
}

/// The SHA-256 of a value's text or bytes, as hexadecimal digits.
fn hash(value: Value<'_>) -> Option<String> {
    let digest = match value {
        Value::Absent | Value::Empty => return None,
        Value::Text(text) => Sha256::digest(text),
        Value::Bytes(bytes) => Sha256::digest(bytes),
        Value::Array(array) => Sha256::digest(array.as_encoded()),
        Value::KvList(list) => Sha256::digest(list.as_encoded()),
        other => Sha256::digest(text_of(other)?),
    };
    let mut digits = String::with_capacity(64);
    for byte in digest {
        digits.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
    }
    Some(digits)
}

/// A simple value as text.
fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_owned()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Double(double) => Some(double.to_string()),
        _ => None,
    }
}

/// The value as another type; nothing if it is of that type already, or cannot be.
fn convert<'a>(value: Value<'_>, kind: Kind) -> Option<New<'a>> {
    let converted = match (kind, value) {
        (Kind::String, Value::Bool(_) | Value::Int(_) | Value::Double(_)) => return text_of(value).map(New::Made),
        (Kind::Int, Value::Text(text)) => Value::Int(text.trim().parse().ok()?),
        (Kind::Int, Value::Bool(bool)) => Value::Int(i64::from(bool)),
        // 2⁶³ is the first double that does not fit.
        (Kind::Int, Value::Double(double)) if double.abs() < i64::MAX as f64 => Value::Int(double as i64),
        (Kind::Double, Value::Text(text)) => Value::Double(text.trim().parse().ok()?),
        (Kind::Double, Value::Int(int)) => Value::Double(int as f64),
        (Kind::Double, Value::Bool(bool)) => Value::Double(f64::from(u8::from(bool))),
        (Kind::Bool, Value::Text(text)) if text.trim().eq_ignore_ascii_case("true") => Value::Bool(true),
        (Kind::Bool, Value::Text(text)) if text.trim().eq_ignore_ascii_case("false") => Value::Bool(false),
        (Kind::Bool, Value::Int(int)) => Value::Bool(int != 0),
        (Kind::Bool, Value::Double(double)) => Value::Bool(double != 0.0),
        _ => return None,
    };
    Some(New::Known(converted))
}

/// Text cut before the character that goes beyond so many bytes, bytes cut there.
fn truncate(now: New<'_>, bytes: usize) -> Option<New<'_>> {
    match now {
        New::Known(Value::Text(text)) if text.len() > bytes => Some(New::Known(Value::Text(start_of(text, bytes)))),
        New::Known(Value::Bytes(all)) if all.len() > bytes => all.get(..bytes).map(|cut| New::Known(Value::Bytes(cut))),
        New::Made(text) if text.len() > bytes => Some(New::Made(start_of(&text, bytes).to_owned())),
        _ => None,
    }
}

fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}
