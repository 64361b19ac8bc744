//! What a receiver answers and an exporter is answered, as JSON: `Export…ServiceResponse` and `google.rpc.Status`.

use super::error::JsonError;
use super::message::Message;
use super::schema::{self, RPC_STATUS};
use super::text::{put_integer, put_quoted_integer, put_string};
use super::{JsonLimits, decode};
use crate::data::Signal;
use crate::data::wire::{Payload, Reader};

/// An answer that is larger as protobuf is refused (OTLP specification: 4 MiB).
const LIMITS: JsonLimits = JsonLimits { max_depth: 1, max_bytes: 4 << 20 };

/// What an `Export…ServiceResponse` says; both empty is full success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Records that were rejected for good.
    pub rejected: u64,
    /// Why, or a warning.
    pub message: String,
}

/// The JSON of an `Export…ServiceResponse`; without a rejected record and a message, `partialSuccess` is unset.
pub fn encode_response(signal: Signal, rejected: u64, message: &str) -> Vec<u8> {
    if rejected == 0 && message.is_empty() {
        return b"{}".to_vec();
    }
    let mut out = b"{\"partialSuccess\":{".to_vec();
    if rejected > 0 {
        out.extend_from_slice(match signal {
            Signal::Traces => b"\"rejectedSpans\":".as_slice(),
            Signal::Metrics => b"\"rejectedDataPoints\":",
            Signal::Logs => b"\"rejectedLogRecords\":",
        });
        // The field is an int64.
        put_quoted_integer(&mut out, rejected.min(i64::MAX as u64));
    }
    if !message.is_empty() {
        out.extend_from_slice(if rejected > 0 { b",\"errorMessage\":" } else { b"\"errorMessage\":" });
        put_string(&mut out, message.as_bytes());
    }
    out.extend_from_slice(b"}}");
    out
}

/// The JSON of a `google.rpc.Status` without details.
pub fn encode_status(code: i32, message: &str) -> Vec<u8> {
    let mut out = b"{\"code\":".to_vec();
    put_integer(&mut out, code);
    out.extend_from_slice(b",\"message\":");
    put_string(&mut out, message.as_bytes());
    out.push(b'}');
    out
}

/// What the JSON of an `Export…ServiceResponse` says. A negative count, which nobody means, counts as 0.
pub fn decode_response(signal: Signal, json: &[u8]) -> Result<Answer, JsonError> {
    let (mut rejected, mut message) = (0, String::new());
    let bytes = decode::document(schema::response(signal), json, &LIMITS)?;
    let mut outer = Reader::new(&bytes);
    while let Ok(Some(field)) = outer.field() {
        let Some(partial_success) = field.content() else { continue };
        let (number, text) = number_and_text(&bytes, Reader::within(&bytes, partial_success));
        rejected = number.unwrap_or(rejected);
        message = text.unwrap_or(message);
    }
    Ok(Answer { rejected: u64::try_from(rejected).unwrap_or(0), message })
}

/// Code and message of the JSON of a `google.rpc.Status`.
pub fn decode_status(json: &[u8]) -> Result<(i32, String), JsonError> {
    let message: &'static Message = &RPC_STATUS;
    let bytes = decode::document(message, json, &LIMITS)?;
    let (code, text) = number_and_text(&bytes, Reader::new(&bytes));
    Ok((code.unwrap_or(0) as i32, text.unwrap_or_default()))
}

/// Fields 1 and 2 of a message that was just written.
fn number_and_text(bytes: &[u8], mut reader: Reader<'_>) -> (Option<i64>, Option<String>) {
    let (mut number, mut text) = (None, None);
    while let Ok(Some(field)) = reader.field() {
        match (field.number, field.payload) {
            (1, Payload::Varint(bits)) => number = Some(bits as i64),
            (2, Payload::Bytes { from, to }) => {
                text = Some(String::from_utf8_lossy(bytes.get(from..to).unwrap_or_default()).into_owned());
            }
            _ => {}
        }
    }
    (number, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_full_success_leaves_partial_success_unset() {
        for signal in Signal::ALL {
            assert_eq!(encode_response(signal, 0, ""), b"{}");
            assert_eq!(decode_response(signal, b"{}").unwrap(), Answer::default());
            assert_eq!(decode_response(signal, br#"{"partialSuccess":null}"#).unwrap(), Answer::default());
        }
    }

    #[test]
    fn r09_the_rejected_are_counted_under_the_signals_own_name() {
        let text = |signal| String::from_utf8(encode_response(signal, 3, "bad \"id\"")).unwrap();
        let rest = r#""3","errorMessage":"bad \"id\""}}"#;
        assert_eq!(text(Signal::Traces), format!(r#"{{"partialSuccess":{{"rejectedSpans":{rest}"#));
        assert_eq!(text(Signal::Metrics), format!(r#"{{"partialSuccess":{{"rejectedDataPoints":{rest}"#));
        assert_eq!(text(Signal::Logs), format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{rest}"#));
        for signal in Signal::ALL {
            let answer = Answer { rejected: 3, message: "bad \"id\"".to_owned() };
            assert_eq!(decode_response(signal, text(signal).as_bytes()), Ok(answer));
        }
        let as_number = br#"{"partialSuccess":{"rejectedSpans":7}}"#;
        assert_eq!(decode_response(Signal::Traces, as_number).unwrap().rejected, 7);
        let negative = br#"{"partialSuccess":{"rejectedSpans":"-7"}}"#;
        assert_eq!(decode_response(Signal::Traces, negative).unwrap().rejected, 0);
    }

    #[test]
    fn r10_a_warning_has_a_message_and_no_count() {
        let warning = encode_response(Signal::Logs, 0, "soon gone");
        assert_eq!(warning, br#"{"partialSuccess":{"errorMessage":"soon gone"}}"#);
        assert_eq!(decode_response(Signal::Logs, &warning).unwrap().message, "soon gone");
    }

    #[test]
    fn r25_a_status_is_code_and_message() {
        let status = encode_status(3, "line 1:\nnot JSON");
        assert_eq!(status, br#"{"code":3,"message":"line 1:\nnot JSON"}"#);
        assert_eq!(decode_status(&status).unwrap(), (3, "line 1:\nnot JSON".to_owned()));
        let with_details = br#"{"code":14,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo"}]}"#;
        assert_eq!(decode_status(with_details).unwrap(), (14, String::new()));
        assert!(decode_status(b"<html>").is_err());
    }
}
