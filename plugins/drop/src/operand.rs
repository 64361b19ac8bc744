//! What a field is compared with.

use std::cmp::Ordering;

use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::{DurationText, Error, Value};

/// What a field is equal to, or is not.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer or a double.
    Number(Number),
    /// Bytes: an id.
    Bytes(Vec<u8>),
}

/// A number, exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

impl Number {
    /// The number that a value is.
    pub fn of(value: Value<'_>) -> Option<Number> {
        match value {
            Value::Int(int) => Some(Number::Int(int)),
            Value::Double(double) => Some(Number::Double(double)),
            _ => None,
        }
    }

    /// Integers exactly; mixed ones as doubles.
    pub fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_double().partial_cmp(&b.as_double()),
        }
    }

    fn as_double(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Double(double) => double,
        }
    }
}

impl Operand {
    /// Whether a field's value is this; 3 and 3.0 are the same, 3 and "3" are not.
    pub fn is(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Operand::Text(text), Value::Text(value)) => text == value,
            (Operand::Bool(bool), Value::Bool(value)) => *bool == value,
            (Operand::Bytes(bytes), Value::Bytes(value)) => bytes == value,
            (Operand::Number(number), value) => {
                Number::of(value).is_some_and(|value| number.compare(value) == Some(Ordering::Equal))
            }
            _ => false,
        }
    }
}

/// How the operands of a field are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As they are.
    Plain,
    /// `250ms`, or nanoseconds.
    Duration,
    /// Hexadecimal digits.
    Id,
}

impl Notation {
    /// Of the field with that path.
    pub fn of(path: &str) -> Notation {
        let ids = ["span.trace_id", "span.span_id", "span.parent_span_id", "log.trace_id", "log.span_id"];
        if path == "span.duration" {
            Notation::Duration
        } else if ids.contains(&path) {
            Notation::Id
        } else {
            Notation::Plain
        }
    }

    /// Reads an operand of `equals` and `in`.
    pub fn operand(self, json: &Json) -> Result<Operand, Error> {
        match (self, json) {
            (Notation::Duration, _) | (_, Json::Number(_)) => self.number(json).map(Operand::Number),
            (Notation::Id, Json::String(digits)) => hex(digits).map(Operand::Bytes),
            (Notation::Plain, Json::String(text)) => Ok(Operand::Text(text.clone())),
            (Notation::Plain, Json::Bool(bool)) => Ok(Operand::Bool(*bool)),
            (_, Json::Null) => Err(Error::new("no value; to ask whether the field is there, write { exists: false }")),
            (_, other) => Err(Error::new(format!("expected text, a number or true or false, found `{other}`"))),
        }
    }

    /// Reads an operand of `gt`, `gte`, `lt` and `lte`.
    pub fn number(self, json: &Json) -> Result<Number, Error> {
        match (self, json) {
            (_, Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Ok(Number::Int(int)),
                (None, Some(double)) => Ok(Number::Double(double)),
                _ => Err(Error::new(format!("`{number}` is out of range"))),
            },
            (Notation::Duration, Json::String(text)) => {
                let duration = text.parse::<DurationText>()?.0;
                Ok(Number::Int(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
            }
            (Notation::Duration, other) => Err(Error::new(format!("expected a duration like 250ms, found `{other}`"))),
            (_, other) => Err(Error::new(format!("expected a number, found `{other}`"))),
        }
    }
}

/// The bytes that hexadecimal digits name.
fn hex(digits: &str) -> Result<Vec<u8>, Error> {
    let problem = || Error::new(format!("`{digits}` is not an id: expected an even number of hexadecimal digits"));
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return Err(problem());
    }
    let pairs = (0..digits.len()).step_by(2).filter_map(|at| digits.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|_| problem())).collect()
}
