//! OTLP JSON at the edge: a request becomes protobuf before anything else looks at it.

use bytes::Bytes;

use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Refusal;
use crate::data::json::{JsonCause, JsonLimits, decode};

/// The protobuf of a JSON request, or why it is none: never retryable.
pub(super) fn request(signal: Signal, json: &[u8], limits: &RequestLimits) -> Result<Bytes, Refusal> {
    let limits = JsonLimits { max_depth: limits.max_value_depth, max_bytes: limits.max_request_bytes };
    decode(signal, json, &limits).map(Bytes::from).map_err(|error| match error.cause {
        JsonCause::Malformed => Refusal::Malformed(error.to_string()),
        JsonCause::TooLarge => Refusal::TooLarge(error.to_string()),
    })
}
