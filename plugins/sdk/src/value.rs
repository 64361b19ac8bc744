//! Any value that a field can have.

use crate::nested::{Array, KvList};
use crate::text::text_of;

/// Numbers of the kinds of cells: `types.wit`, record `cells`.
pub(crate) mod kind {
    pub const ABSENT: u8 = 0;
    pub const EMPTY: u8 = 1;
    pub const TEXT: u8 = 2;
    pub const BOOL: u8 = 3;
    pub const INT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const BYTES: u8 = 6;
    pub const ARRAY: u8 = 7;
    pub const KV_LIST: u8 = 8;
}

/// A value of any kind, borrowed from the batch.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Value<'a> {
    /// The record has no such field. As a new value: delete it.
    #[default]
    Absent,
    /// An attribute is there, its value is not set.
    Empty,
    /// Text.
    Text(&'a str),
    /// A boolean.
    Bool(bool),
    /// An integer; times and durations are integers, in nanoseconds.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes; trace and span ids are bytes.
    Bytes(&'a [u8]),
    /// An array of values.
    Array(Array<'a>),
    /// A list of keys and values.
    KvList(KvList<'a>),
}

impl<'a> Value<'a> {
    /// Whether there is no such field.
    pub const fn is_absent(self) -> bool {
        matches!(self, Value::Absent)
    }

    /// The text, if it is text.
    pub const fn as_text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is an integer or a double.
    pub const fn as_number(self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(int as f64),
            Value::Double(double) => Some(double),
            _ => None,
        }
    }
}

/// One cell, not yet read: its kind, its word, and the data that the word may point into.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    pub(crate) kind: u8,
    pub(crate) word: u64,
    pub(crate) data: &'a [u8],
}

impl<'a> Cell<'a> {
    pub(crate) const ABSENT: Cell<'a> = Cell { kind: kind::ABSENT, word: 0, data: &[] };

    /// The bytes that the word names; none if it points outside the data.
    #[inline]
    pub(crate) fn slice(self) -> Option<&'a [u8]> {
        slice_at(self.data, self.word)
    }

    /// The text, if it is text.
    #[inline]
    pub(crate) fn text(self) -> Option<&'a str> {
        if self.kind == kind::TEXT { self.slice().map(text_of) } else { None }
    }

    /// The value, whatever it is.
    #[inline]
    pub(crate) fn value(self) -> Value<'a> {
        let value = match self.kind {
            kind::EMPTY => Some(Value::Empty),
            kind::TEXT => self.text().map(Value::Text),
            kind::BOOL => Some(Value::Bool(self.word != 0)),
            kind::INT => Some(Value::Int(self.word as i64)),
            kind::DOUBLE => Some(Value::Double(f64::from_bits(self.word))),
            kind::BYTES => self.slice().map(Value::Bytes),
            kind::ARRAY => self.slice().map(|bytes| Value::Array(Array::encoded(bytes))),
            kind::KV_LIST => self.slice().map(|bytes| Value::KvList(KvList::encoded(bytes))),
            _ => None,
        };
        value.unwrap_or(Value::Absent)
    }
}

/// The bytes that a word names: `offset << 32 | length`.
#[inline]
pub(crate) fn slice_at(data: &[u8], word: u64) -> Option<&[u8]> {
    let offset = (word >> 32) as usize;
    data.get(offset..)?.get(..(word & 0xffff_ffff) as usize)
}

/// Copies bytes to the end of `data`; the answer is the word that names them. A batch's data is below 4 GiB.
#[inline]
pub(crate) fn keep_slice(data: &mut Vec<u8>, bytes: &[u8]) -> u64 {
    let word = (data.len() as u64) << 32 | bytes.len() as u64;
    data.extend_from_slice(bytes);
    word
}
