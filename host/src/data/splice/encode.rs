//! Encodes single fields: what an edit puts into a request.

use crate::data::column::Value;
use crate::data::field::Shape;
use crate::data::wire::{put_bytes_field, put_fixed64_field, put_tag, put_varint, put_varint_field, varint_len};

/// How long the encoded `AnyValue` is.
pub(super) fn any_value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Absent | Value::Empty => 0,
        Value::Bool(_) => 2,
        Value::Int(int) => 1 + varint_len(*int as u64),
        Value::Double(_) => 9,
        Value::Text(slice) | Value::Bytes(slice) | Value::Array(slice) | Value::KvList(slice) => {
            1 + varint_len(slice.len() as u64) + slice.len()
        }
    }
}

/// Appends an `AnyValue` (common.proto).
pub(super) fn put_any_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Absent | Value::Empty => {}
        Value::Text(text) => put_bytes_field(out, 1, text),
        Value::Bool(bool) => put_varint_field(out, 2, u64::from(*bool)),
        Value::Int(int) => put_varint_field(out, 3, *int as u64),
        Value::Double(double) => put_fixed64_field(out, 4, double.to_bits()),
        Value::Array(content) => put_bytes_field(out, 5, content),
        Value::KvList(content) => put_bytes_field(out, 6, content),
        Value::Bytes(bytes) => put_bytes_field(out, 7, bytes),
    }
}

/// Appends an attribute as a field of that number.
pub(super) fn put_attribute(out: &mut Vec<u8>, number: u32, key: &[u8], value: &Value<'_>) {
    let value_len = any_value_len(value);
    let key_field = 1 + varint_len(key.len() as u64) + key.len();
    put_tag(out, number, 2);
    put_varint(out, (key_field + 1 + varint_len(value_len as u64) + value_len) as u64);
    put_bytes_field(out, 1, key);
    put_tag(out, 2, 2);
    put_varint(out, value_len as u64);
    put_any_value(out, value);
}

/// Appends a plain field; nothing for its default.
pub(super) fn put_plain(out: &mut Vec<u8>, number: u32, shape: Shape, value: &Value<'_>) {
    match (shape, value) {
        (_, Value::Absent) => {}
        (Shape::Any, value) => {
            put_tag(out, number, 2);
            put_varint(out, any_value_len(value) as u64);
            put_any_value(out, value);
        }
        (_, Value::Text(text)) if !text.is_empty() => put_bytes_field(out, number, text),
        (_, Value::Int(int)) if *int != 0 => put_varint_field(out, number, *int as u64),
        _ => {}
    }
}
