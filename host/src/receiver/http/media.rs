//! The media types of OTLP/HTTP, and what is encoded differently in each.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use tonic::Code;

use super::reply::Problem;
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Receipt;
use crate::receiver::answer;

/// How messages are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/x-protobuf`; also what is answered to a request of unknown type.
    #[default]
    Protobuf,
}

impl Media {
    /// The media type of a request; none if it is not supported. Parameters are ignored.
    pub fn of(headers: &HeaderMap) -> Option<Media> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next()?.trim();
        match media_type {
            name if name.eq_ignore_ascii_case("application/x-protobuf") => Some(Media::Protobuf),
            _ => None,
        }
    }

    /// As a header.
    pub fn content_type(self) -> HeaderValue {
        match self {
            Media::Protobuf => HeaderValue::from_static("application/x-protobuf"),
        }
    }

    /// Turns a request into protobuf. That it is well-formed protobuf is for the intake to see.
    pub fn decode(self, _signal: Signal, body: Bytes, _limits: &RequestLimits) -> Result<Bytes, Problem> {
        match self {
            Media::Protobuf => Ok(body),
        }
    }

    /// Encodes an `Export…ServiceResponse`.
    pub fn response(self, _signal: Signal, receipt: &Receipt) -> Bytes {
        match self {
            Media::Protobuf => answer::export_response(receipt.rejected, &receipt.message).into(),
        }
    }

    /// Encodes a `google.rpc.Status`.
    pub fn status(self, code: Code, message: &str) -> Bytes {
        match self {
            Media::Protobuf => answer::rpc_status(code, message).into(),
        }
    }
}
