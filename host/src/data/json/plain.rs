//! An attribute value as the JSON that a person expects: `"text"`, `5`, `[…]`, `{…}`, without the names of kinds.
//!
//! Source: OpenTelemetry specification, common concepts, "AnyValue representation for non-OTLP protocols". What
//! kind an integer-valued double or a text of base64 had is lost, so this is for reading, not for OTLP.

use std::ops::Range;

use super::DEPTH_MAX;
use super::text::{put_base64, put_double, put_integer, put_text};
use crate::data::wire::{Malformed, Payload, Reader};

/// Appends the `AnyValue` that all of `value` is, as plain JSON. Of members that come more than once, which no
/// client sends, the last is taken.
pub fn encode_any_value(value: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    any_value(value, 0..value.len(), 0, out)
}

/// `depth` counts the lists and mappings around the value.
fn any_value(bytes: &[u8], range: Range<usize>, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed { what: "attribute values nested too deep for JSON", at: range.start });
    }
    let mut last = None;
    let mut reader = Reader::within(bytes, range);
    while let Some(field) = reader.field()? {
        if (1..=7).contains(&field.number) {
            last = Some(field);
        }
    }
    let Some(field) = last else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    match (field.number, field.payload) {
        (1, Payload::Bytes { from, to }) => put_text(out, bytes, from..to)?,
        (2, Payload::Varint(bits)) => out.extend_from_slice(if bits != 0 { b"true" } else { b"false" }),
        (3, Payload::Varint(bits)) => put_integer(out, bits as i64),
        (4, Payload::Fixed64(bits)) => put_double(out, f64::from_bits(bits)),
        (5, Payload::Bytes { from, to }) => array(bytes, from..to, depth, out)?,
        (6, Payload::Bytes { from, to }) => object(bytes, from..to, depth, out)?,
        (7, Payload::Bytes { from, to }) => put_base64(out, bytes.get(from..to).unwrap_or_default()),
        _ => return Err(Malformed { what: "field of another wire type than its own", at: field.start }),
    }
    Ok(())
}

fn array(bytes: &[u8], range: Range<usize>, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.push(b'[');
    let start = out.len();
    let mut reader = Reader::within(bytes, range);
    while let Some(field) = reader.field()? {
        let (1, Some(element)) = (field.number, field.content()) else { continue };
        if out.len() > start {
            out.push(b',');
        }
        any_value(bytes, element, depth + 1, out)?;
    }
    out.push(b']');
    Ok(())
}

fn object(bytes: &[u8], range: Range<usize>, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.push(b'{');
    let start = out.len();
    let mut reader = Reader::within(bytes, range);
    while let Some(field) = reader.field()? {
        let (1, Some(pair)) = (field.number, field.content()) else { continue };
        if out.len() > start {
            out.push(b',');
        }
        let (mut key, mut value) = (0..0, 0..0);
        let mut pair = Reader::within(bytes, pair);
        while let Some(field) = pair.field()? {
            match (field.number, field.content()) {
                (1, Some(content)) => key = content,
                (2, Some(content)) => value = content,
                _ => {}
            }
        }
        put_text(out, bytes, key)?;
        out.push(b':');
        any_value(bytes, value, depth + 1, out)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::data::testing::{Keys, arbitrary_value};

    fn plain(value: &AnyValue) -> String {
        let mut out = Vec::new();
        encode_any_value(&value.encode_to_vec(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_read_as_plain_json() {
        let value = |value| AnyValue { value: Some(value) };
        let pair = |key: &str, value| KeyValue { key: key.to_owned(), value, key_strindex: 0 };
        let values = vec![
            value(Value::StringValue("a\"b".to_owned())),
            value(Value::IntValue(i64::MIN)),
            value(Value::DoubleValue(0.5)),
            value(Value::DoubleValue(f64::NAN)),
            value(Value::BoolValue(false)),
            value(Value::BytesValue(vec![255, 0])),
            AnyValue { value: None },
        ];
        let list = value(Value::ArrayValue(ArrayValue { values }));
        let map = value(Value::KvlistValue(KeyValueList { values: vec![pair("k", Some(list)), pair("none", None)] }));
        assert_eq!(plain(&map), r#"{"k":["a\"b",-9223372036854775808,0.5,"NaN",false,"/wA=",null],"none":null}"#);
    }

    proptest! {
        #[test]
        fn every_value_becomes_json(value in arbitrary_value(Keys::Repeated)) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&plain(&value)).is_ok());
        }
    }
}
