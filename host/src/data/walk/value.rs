//! Attributes and their values: proves them well-formed, and says what they are.

use std::ops::Range;

use super::shape::{ANY_VALUE, KEY_VALUE, MessageShape, VALUE_LIST};
use crate::data::column::Value;
use crate::data::wire::{Field, Malformed, Payload, Reader};

/// Reads the fields of a message of a known shape: wire types and text are checked on the way.
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
    bytes: &'a [u8],
    shape: &'static MessageShape,
    /// Whether text is known to be valid already.
    text_is_valid: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], range: Range<usize>, shape: &'static MessageShape) -> Self {
        Fields { reader: Reader::within(bytes, range), bytes, shape, text_is_valid: false }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Field>, Malformed> {
        let Some(field) = self.reader.field()? else { return Ok(None) };
        let wire_type = match field.payload {
            Payload::Varint(_) => 0,
            Payload::Fixed64(_) => 1,
            Payload::Bytes { .. } => 2,
            Payload::Group => 3,
            Payload::Fixed32(_) => 5,
        };
        if !self.shape.allows(field.number, wire_type) {
            return Err(Malformed { what: self.shape.wrong_type, at: field.start });
        }
        if let Payload::Bytes { from, to } = field.payload
            && self.shape.is_string(field.number)
            && !self.text_is_valid
        {
            check_text(self.bytes, from..to)?;
        }
        Ok(Some(field))
    }
}

/// Proves a proto3 string to be UTF-8.
#[inline]
pub(super) fn check_text(bytes: &[u8], range: Range<usize>) -> Result<(), Malformed> {
    let at = range.start;
    let text = bytes.get(range).unwrap_or_default();
    if text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok() {
        Ok(())
    } else {
        Err(Malformed { what: "text is not valid UTF-8", at })
    }
}

/// The key and the value of the `KeyValue` that lies in `range`, proven well-formed.
#[inline]
pub(super) fn key_value(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(&[u8], Value<'_>), Malformed> {
    if let Some(pair) = plain_text_pair(bytes.get(range.clone()).unwrap_or_default()) {
        return Ok(pair);
    }
    any_key_value(bytes, range, depth)
}

/// The commonest attribute by far: an ASCII key, an ASCII text, all lengths below 128, nothing else.
#[inline]
fn plain_text_pair(content: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let [0x0a, key_length, rest @ ..] = content else { return None };
    if *key_length >= 0x80 {
        return None;
    }
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, value_length, 0x0a, text_length, text @ ..] = rest else { return None };
    let fits = *text_length < 0x7e && *value_length == *text_length + 2 && text.len() == usize::from(*text_length);
    (fits && content.is_ascii()).then_some((key, Value::Text(text)))
}

fn any_key_value(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(&[u8], Value<'_>), Malformed> {
    let ascii = bytes.get(range.clone()).unwrap_or_default().is_ascii();
    let mut fields = Fields::new(bytes, range, &KEY_VALUE);
    fields.text_is_valid = ascii;
    let mut key: &[u8] = &[];
    let mut value = None;
    while let Some(field) = fields.next()? {
        match (field.number, field.content()) {
            (1, Some(content)) => key = bytes.get(content).unwrap_or_default(),
            (2, Some(content)) if value.is_none() => value = Some(any_value(bytes, content, depth)?),
            (2, Some(_)) => return Err(Malformed { what: "an attribute has two values", at: field.start }),
            _ => {}
        }
    }
    Ok((key, value.unwrap_or(Value::Empty)))
}

/// The value of the `AnyValue` that lies in `range`, proven well-formed with everything inside, at most `depth` lists
/// deep.
pub(super) fn any_value(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<Value<'_>, Malformed> {
    let mut fields = Fields::new(bytes, range, &ANY_VALUE);
    let mut value = Value::Empty;
    while let Some(field) = fields.next()? {
        let content = |range| bytes.get(range).unwrap_or_default();
        value = match (field.number, field.payload) {
            (1, Payload::Bytes { from, to }) => Value::Text(content(from..to)),
            (2, Payload::Varint(bool)) => Value::Bool(bool != 0),
            (3, Payload::Varint(int)) => Value::Int(int as i64),
            (4, Payload::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (5, Payload::Bytes { from, to }) => {
                check_array(bytes, from..to, depth)?;
                Value::Array(content(from..to))
            }
            (6, Payload::Bytes { from, to }) => {
                check_list(bytes, from..to, depth)?;
                Value::KvList(content(from..to))
            }
            (7, Payload::Bytes { from, to }) => Value::Bytes(content(from..to)),
            _ => value,
        };
    }
    Ok(value)
}

fn deeper(depth: usize, at: usize) -> Result<usize, Malformed> {
    depth.checked_sub(1).ok_or(Malformed { what: "a value is nested deeper than max_value_depth allows", at })
}

/// Proves the `ArrayValue` in `range` well-formed.
pub(in crate::data) fn check_array(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(), Malformed> {
    let depth = deeper(depth, range.start)?;
    let mut fields = Fields::new(bytes, range, &VALUE_LIST);
    while let Some(field) = fields.next()? {
        if let (1, Some(content)) = (field.number, field.content()) {
            any_value(bytes, content, depth)?;
        }
    }
    Ok(())
}

/// Proves the `KeyValueList` in `range` well-formed.
pub(in crate::data) fn check_list(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(), Malformed> {
    let depth = deeper(depth, range.start)?;
    let mut fields = Fields::new(bytes, range, &VALUE_LIST);
    while let Some(field) = fields.next()? {
        if let (1, Some(content)) = (field.number, field.content()) {
            any_key_value(bytes, content, depth)?;
        }
    }
    Ok(())
}
