//! Attributes as almost all of them are: a key, and a value that is a text or an integer.
//!
//! They are most of what telemetry consists of. To take them in one look, without what a message in general may be,
//! halves what a span costs.

use std::ops::Range;

use super::{Encoder, Fault};
use crate::data::json::DEPTH_MAX;
use crate::data::json::text::{put_quoted_integer, put_text};
use crate::data::wire::Reader;

/// Tags of common.proto.
const KEY: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;
const STRING_VALUE: u8 = 1 << 3 | 2;
const INT_VALUE: u64 = 3 << 3;

/// The value of such an attribute.
enum Value {
    Text(Range<usize>),
    Int(i64),
}

impl Encoder<'_, '_> {
    /// Writes the `KeyValue` in `range` as an element of a list, if it is of that form; else nothing is written.
    #[inline(always)]
    pub(super) fn attribute(&mut self, range: Range<usize>, depth: usize) -> Result<bool, Fault> {
        let Some((key, value)) = parts(self.bytes, range) else { return Ok(false) };
        if depth > DEPTH_MAX {
            return Ok(false);
        }
        self.out.extend_from_slice(b",{\"key\":");
        put_text(self.out, self.bytes, key)?;
        match value {
            Value::Text(text) => {
                self.out.extend_from_slice(b",\"value\":{\"stringValue\":");
                put_text(self.out, self.bytes, text)?;
            }
            Value::Int(int) => {
                self.out.extend_from_slice(b",\"value\":{\"intValue\":");
                put_quoted_integer(self.out, int);
            }
        }
        self.out.extend_from_slice(b"}}");
        Ok(true)
    }
}

/// Key and value of the `KeyValue` in `range`, if these are all that it has and are short.
#[inline(always)]
fn parts(bytes: &[u8], range: Range<usize>) -> Option<(Range<usize>, Value)> {
    let end = range.end;
    let mut pair = Reader::within(bytes, range);
    let (_, key) = pair.short(KEY)?;
    let (_, value) = pair.short(VALUE)?;
    if key.is_empty() || pair.offset() != end {
        return None;
    }
    let mut value = Reader::within(bytes, value);
    let value_is = match value.short(STRING_VALUE) {
        Some((_, text)) => Value::Text(text),
        None if value.varint() == Ok(INT_VALUE) => Value::Int(value.varint().ok()? as i64),
        None => return None,
    };
    (value.offset() == end).then_some((key, value_is))
}
