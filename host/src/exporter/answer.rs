//! What a peer says in an `Export…ServiceResponse`, in either encoding: the rejected records and its message.
//!
//! The response has one shape for all signals: field 1 is `partial_success`, in it field 1 the number of
//! rejected records and field 2 the message. An answer that cannot be read means nothing more than its status
//! said, so it never makes a delivered request undelivered.

use serde_json::Value;

use super::outcome::{Outcome, printable};
use crate::data::Signal;
use crate::data::wire::{Payload, Reader};

/// Reads the protobuf form.
pub fn from_protobuf(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut response = Reader::new(bytes);
    while let Ok(Some(field)) = response.field() {
        let (1, Some(range)) = (field.number, field.content()) else { continue };
        let mut partial = Reader::within(bytes, range);
        while let Ok(Some(field)) = partial.field() {
            match (field.number, field.payload) {
                (1, Payload::Varint(rejected)) => outcome.rejected = u64::try_from(rejected as i64).unwrap_or(0),
                (2, Payload::Bytes { from, to }) => outcome.message = text(bytes.get(from..to)),
                _ => {}
            }
        }
    }
    outcome
}

/// Reads the JSON form; 64-bit numbers come as text or number.
pub fn from_json(signal: Signal, bytes: &[u8]) -> Outcome {
    let Ok(response) = serde_json::from_slice::<Value>(bytes) else { return Outcome::default() };
    let partial = &response["partialSuccess"];
    let rejected = match &partial[rejected_name(signal)] {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    Outcome { rejected, message: printable(partial["errorMessage"].as_str().unwrap_or_default()) }
}

/// The message of a `google.rpc.Status`, which OTLP/HTTP has in the body of an error.
pub fn status_message(json: bool, bytes: &[u8]) -> String {
    if json {
        let status = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        return printable(status["message"].as_str().unwrap_or_default());
    }
    let mut message = String::new();
    let mut status = Reader::new(bytes);
    while let Ok(Some(field)) = status.field() {
        if let (2, Some(range)) = (field.number, field.content()) {
            message = text(bytes.get(range));
        }
    }
    message
}

fn text(bytes: Option<&[u8]>) -> String {
    printable(&String::from_utf8_lossy(bytes.unwrap_or_default()))
}

const fn rejected_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;

    use super::*;

    fn answer(rejected_spans: i64, message: &str) -> Vec<u8> {
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: message.to_owned() });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    #[test]
    fn partial_success_is_read() {
        assert_eq!(from_protobuf(&answer(3, "why")), Outcome { rejected: 3, message: "why".to_owned() });
        let json = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"why"}}"#;
        assert_eq!(from_json(Signal::Traces, json), Outcome { rejected: 3, message: "why".to_owned() });
    }

    #[test]
    fn a_partial_success_without_content_is_full_success() {
        assert_eq!(from_protobuf(&answer(0, "")), Outcome::default());
        assert_eq!(from_protobuf(&[]), Outcome::default());
        assert_eq!(from_json(Signal::Logs, b"{}"), Outcome::default());
    }

    #[test]
    fn junk_means_nothing() {
        assert_eq!(from_protobuf(&answer(-5, "")), Outcome::default());
        assert_eq!(from_protobuf(b"\x0a\xff\xff junk"), Outcome::default());
        assert_eq!(from_json(Signal::Traces, b"<html>"), Outcome::default());
        assert_eq!(from_json(Signal::Traces, br#"{"partialSuccess":{"rejectedSpans":-1}}"#), Outcome::default());
    }

    #[test]
    fn a_message_cannot_break_a_log_line() {
        let long = "x".repeat(10_000) + "\n";
        assert_eq!(from_protobuf(&answer(1, &long)).message.len(), 512);
        assert_eq!(from_protobuf(&answer(1, "a\nb\u{1b}[31m")).message, "a\\nb\\u{1b}[31m");
    }
}
