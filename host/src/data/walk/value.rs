//! Attributes and their values: proves them well-formed, and says what they are.

use std::ops::Range;

use super::shape::{ANY_VALUE, KEY_VALUE, MessageShape, VALUE_LIST};
use crate::data::batch::At;
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

    /// The next field, if it has that one-byte tag of a length-delimited field and a length below 128: runs of
    /// attributes are read by this. Anything else is left to [`Fields::next`].
    #[inline(always)]
    pub(super) fn next_short(&mut self, tag: u8) -> Option<(At, Range<usize>)> {
        let (start, content) = self.reader.short(tag)?;
        Some((At { start: start as u32, end: content.end as u32 }, content))
    }

    #[inline(always)]
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
#[inline(always)]
pub(super) fn check_text(bytes: &[u8], range: Range<usize>) -> Result<(), Malformed> {
    let at = range.start;
    let text = bytes.get(range).unwrap_or_default();
    if is_ascii(text) { Ok(()) } else { check_unicode(text, at) }
}

#[inline(never)]
fn check_unicode(text: &[u8], at: usize) -> Result<(), Malformed> {
    match simdutf8::basic::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Malformed { what: "text is not valid UTF-8", at }),
    }
}

/// The key and the value of the `KeyValue` that lies in `range`, proven well-formed.
pub(super) fn key_value(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(&[u8], Value<'_>), Malformed> {
    if let Some(pair) = plain_pair(bytes.get(range.clone()).unwrap_or_default()) {
        return Ok(pair);
    }
    any_key_value(bytes, range, depth)
}

/// The commonest attributes by far: an ASCII key and an ASCII text, an integer or a boolean, all lengths below 128,
/// nothing else.
#[inline(always)]
pub(super) fn plain_pair(content: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let [0x0a, key_length, rest @ ..] = content else { return None };
    if *key_length >= 0x80 {
        return None;
    }
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, value_length, value @ ..] = rest else { return None };
    if *value_length >= 0x80 || value.len() != usize::from(*value_length) {
        return None;
    }
    match value {
        [0x0a, length, text @ ..] if text.len() == usize::from(*length) => {
            is_ascii(content).then_some((key, Value::Text(text)))
        }
        [0x18, varint @ ..] => {
            let int = whole_varint(varint)?;
            is_ascii(key).then_some((key, Value::Int(int)))
        }
        [0x10, bool @ 0..=1] => is_ascii(key).then_some((key, Value::Bool(*bool == 1))),
        _ => None,
    }
}

/// Like the standard library's, but inlined, and without its way for long texts.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let high = words.iter().fold(0, |high, word| high | u64::from_ne_bytes(*word));
    let rest = match bytes.last_chunk::<8>() {
        // Overlaps the last word: cheaper than a byte at a time.
        Some(last) => u64::from_ne_bytes(*last),
        None => rest.iter().fold(0, |high, byte| high | u64::from(*byte)),
    };
    (high | rest) & HIGH == 0
}

/// The varint of up to 8 bytes that all of `bytes` is.
#[inline(always)]
fn whole_varint(bytes: &[u8]) -> Option<i64> {
    let (last, before) = bytes.split_last()?;
    if *last >= 0x80 || before.len() > 7 {
        return None;
    }
    before
        .iter()
        .rev()
        .try_fold(i64::from(*last), |value, byte| (*byte >= 0x80).then_some(value << 7 | i64::from(byte & 0x7f)))
}

/// Like [`key_value`], without the short way.
#[inline(never)]
pub(super) fn any_key_value(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<(&[u8], Value<'_>), Malformed> {
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
