//! The status that ends a gRPC call, and what it means for the request (OTLP specification, OTLP/gRPC failures).
//!
//! Read by hand: tonic's own reading panics on a `grpc-status-details-bin` that is not base64, and a peer's
//! answer must never do that. `RetryInfo` is found with the wire reader, since nothing else of the details matters.

use std::time::Duration;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode};
use tonic::Code;

use super::outcome::{Failure, printable};
use crate::data::wire::{Payload, Reader};

/// Binary metadata comes with or without padding (gRPC over HTTP/2, custom metadata).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A gRPC status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    /// The code.
    pub code: Code,
    /// The peer's message, fit to be logged.
    pub message: String,
    /// Set if the details hold a `RetryInfo`; with the delay, if it names one.
    pub retry_info: Option<Option<Duration>>,
}

impl GrpcStatus {
    /// The status in the headers or trailers of an answer, if there is one.
    pub fn read(headers: &HeaderMap) -> Option<GrpcStatus> {
        let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
        let message = headers.get("grpc-message").map(|value| percent_decoded(value.as_bytes())).unwrap_or_default();
        let details = headers.get("grpc-status-details-bin").and_then(|value| BASE64.decode(value.as_bytes()).ok());
        let retry_info = details.and_then(|details| retry_info(&details));
        Some(GrpcStatus { code, message: printable(&message), retry_info })
    }

    /// The status of an answer that is not gRPC's: a proxy's, for example (gRPC, HTTP to gRPC status mapping).
    pub fn of_http(status: StatusCode) -> GrpcStatus {
        let code = match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        GrpcStatus { code, message: format!("HTTP status {}", status.as_u16()), retry_info: None }
    }

    /// What the status means: nothing bad, or a failure that may be retried (E5–E8).
    pub fn verdict(&self) -> Result<(), Failure> {
        let retryable = match self.code {
            Code::Ok => return Ok(()),
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            // Only a peer that names RetryInfo expects to recover; without it the request itself is too much.
            Code::ResourceExhausted => self.retry_info.is_some(),
            _ => false,
        };
        let why = format!("the peer answered {:?}: {}", self.code, self.message);
        Err(match retryable {
            true => Failure::Retryable { after: self.retry_info.flatten(), why },
            false => Failure::Permanent { why },
        })
    }
}

fn percent_decoded(bytes: &[u8]) -> String {
    let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16)).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Finds `RetryInfo` in an encoded `google.rpc.Status`: field 3 holds the details, each an `Any` with its type
/// in field 1 and the message in field 2; `RetryInfo` has the delay in field 1, as seconds (1) and nanoseconds (2).
fn retry_info(status: &[u8]) -> Option<Option<Duration>> {
    let mut reader = Reader::new(status);
    while let Ok(Some(field)) = reader.field() {
        let (3, Some(range)) = (field.number, field.content()) else { continue };
        let any = status.get(range)?;
        if bytes_field(any, 1).is_some_and(|name| name.ends_with(b"/google.rpc.RetryInfo")) {
            let delay = bytes_field(any, 2).and_then(|info| bytes_field(info, 1));
            return Some(delay.map(|delay| {
                let seconds = number_field(delay, 1).unwrap_or(0);
                let nanos = number_field(delay, 2).unwrap_or(0);
                Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
                    .saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
            }));
        }
    }
    None
}

fn bytes_field(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    while let Ok(Some(field)) = reader.field() {
        if let Some(range) = field.content().filter(|_| field.number == number) {
            return message.get(range);
        }
    }
    None
}

fn number_field(message: &[u8], number: u32) -> Option<i64> {
    let mut reader = Reader::new(message);
    while let Ok(Some(field)) = reader.field() {
        match field.payload {
            Payload::Varint(value) if field.number == number => return Some(value as i64),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn read(status: tonic::Status) -> GrpcStatus {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        GrpcStatus::read(&headers).unwrap()
    }

    #[test]
    fn what_tonic_writes_is_read() {
        let plain = read(tonic::Status::unavailable("später, 100 %"));
        let expected = GrpcStatus { code: Code::Unavailable, message: "später, 100 %".to_owned(), retry_info: None };
        assert_eq!(plain, expected);
        let delay = Some(Duration::from_millis(2500));
        let details = ErrorDetails::with_retry_info(delay);
        let status = tonic::Status::with_error_details(Code::ResourceExhausted, "", details);
        assert_eq!(read(status).retry_info, Some(delay));
        let details = ErrorDetails::with_bad_request_violation("a", "b");
        let status = tonic::Status::with_error_details(Code::InvalidArgument, "", details);
        assert_eq!(read(status).retry_info, None);
    }

    #[test]
    fn f31_hostile_details_are_harmless() {
        for (details, expected) in [("not base64 !", None), ("////", None), ("", None)] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("14"));
            headers.insert("grpc-status-details-bin", HeaderValue::from_static(details));
            assert_eq!(GrpcStatus::read(&headers).unwrap().retry_info, expected);
        }
    }
}
