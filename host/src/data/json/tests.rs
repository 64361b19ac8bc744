//! The rules of OTLP/JSON, each as a test; prost and the descriptors of opentelemetry-proto are the model.

mod bad;
mod round_trip;
mod rules;
mod tables;
mod vectors;

use prost::Message;

use super::*;

fn limits() -> JsonLimits {
    JsonLimits::default()
}

/// What prost makes of the bytes that `json` decodes to.
fn decoded<M: Message + Default>(signal: Signal, json: &str) -> M {
    let bytes = decode(signal, json.as_bytes(), &limits()).unwrap();
    M::decode(bytes.as_slice()).unwrap()
}

/// The message of the error that `json` is answered with.
fn refused(signal: Signal, json: impl AsRef<[u8]>) -> String {
    decode(signal, json.as_ref(), &limits()).unwrap_err().to_string()
}

/// The JSON of a message of prost.
fn encoded(signal: Signal, message: &impl Message) -> String {
    let mut out = Vec::new();
    encode(signal, &message.encode_to_vec(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A trace request of one span with these members.
fn span_json(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#)
}

/// A log request of one record with these members.
fn log_json(members: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#)
}

/// A metrics request of one metric with these members.
fn metric_json(members: &str) -> String {
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{members}}}]}}]}}]}}"#)
}
