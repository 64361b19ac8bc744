//! What clients are told: the messages of OTLP and of `google.rpc`, within the limits of both.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::data::wire::{put_bytes_field, put_varint_field};

/// The longest explanation beside a success. OTLP limits the whole response to 4 MiB, and asks to shorten the message
/// first; nobody reads more than this.
const MESSAGE_MAX: usize = 64 << 10;

/// The longest explanation of an error: over gRPC it travels in a header, percent-encoded, and clients accept as
/// little as 8 KiB of them.
const ERROR_MAX: usize = 2 << 10;

/// The body of an answer: one piece of data, then trailers, each of which may be missing.
#[derive(Debug, Default)]
pub struct Reply {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Reply {
    /// Nothing.
    pub fn empty() -> Reply {
        Reply::default()
    }

    /// One piece of data.
    pub fn data(data: Bytes) -> Reply {
        Reply { data: Some(data).filter(|data| !data.is_empty()), trailers: None }
    }

    /// Data, then trailers.
    pub fn with_trailers(data: Bytes, trailers: HeaderMap) -> Reply {
        Reply { data: Some(data), trailers: Some(trailers) }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.data.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// Encodes an `Export…ServiceResponse`: the same fields for every signal. Without rejected records and message it is
/// empty, as `partial_success` must be unset then (OTLP, Full Success).
pub fn export_response(rejected: u64, message: &str) -> Vec<u8> {
    let message = success_message(message);
    let mut partial = Vec::new();
    if rejected > 0 {
        put_varint_field(&mut partial, 1, rejected);
    }
    if !message.is_empty() {
        put_bytes_field(&mut partial, 2, message.as_bytes());
    }
    let mut response = Vec::new();
    if !partial.is_empty() {
        put_bytes_field(&mut response, 1, &partial);
    }
    response
}

/// Encodes a `google.rpc.Status`.
pub fn rpc_status(code: tonic::Code, message: &str) -> Vec<u8> {
    let mut status = Vec::new();
    put_varint_field(&mut status, 1, u64::from(i32::from(code).unsigned_abs()));
    put_bytes_field(&mut status, 2, message.as_bytes());
    status
}

/// The part of an explanation that fits beside a success.
pub fn success_message(message: &str) -> &str {
    shortened(message, MESSAGE_MAX)
}

/// The part of an explanation that fits into an error.
pub fn error_message(message: &str) -> &str {
    shortened(message, ERROR_MAX)
}

fn shortened(message: &str, max: usize) -> &str {
    let end = message.floor_char_boundary(max);
    message.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;

    use super::*;

    #[test]
    fn r05_a_long_message_is_shortened_between_characters() {
        let response = export_response(3, &"é".repeat(10 << 20));
        assert!(response.len() < 4 << 20, "{}", response.len());
        let partial = ExportTraceServiceResponse::decode(&response[..]).unwrap().partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 3);
        assert_eq!(partial.error_message.len(), MESSAGE_MAX);
        assert_eq!(shortened("aéé", 4), "aé");
    }

    #[test]
    fn r07_full_success_is_an_empty_response() {
        assert!(export_response(0, "").is_empty());
    }
}
