//! The media types of OTLP/HTTP, and what is encoded differently in each.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use tonic::Code;

use super::reply::Problem;
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Receipt;
use crate::data::json::{encode_response, encode_status};
use crate::memory::Kind;
use crate::receiver::admission::Ticket;
use crate::receiver::{answer, json};

/// How messages are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/x-protobuf`; also what is answered to a request of unknown type.
    #[default]
    Protobuf,
    /// `application/json`.
    Json,
}

impl Media {
    /// The media type of a request; none if it is not supported. Parameters are ignored.
    pub fn of(headers: &HeaderMap) -> Option<Media> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next()?.trim();
        match media_type {
            name if name.eq_ignore_ascii_case("application/x-protobuf") => Some(Media::Protobuf),
            name if name.eq_ignore_ascii_case("application/json") => Some(Media::Json),
            _ => None,
        }
    }

    /// As a header.
    pub fn content_type(self) -> HeaderValue {
        match self {
            Media::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Media::Json => HeaderValue::from_static("application/json"),
        }
    }

    /// Turns a request into protobuf. That it is well-formed protobuf is for the intake to see.
    pub fn decode(
        self,
        signal: Signal,
        body: Bytes,
        limits: &RequestLimits,
        ticket: &mut Ticket,
    ) -> Result<Bytes, Problem> {
        if let Media::Protobuf = self {
            return Ok(body);
        }
        // Protobuf is shorter than JSON nearly always; the lease is put right when it is not.
        let mut lease = ticket.lease(Kind::Decoding);
        ticket.grow(&mut lease, body.len())?;
        let bytes = json::request(signal, &body, limits)?;
        ticket.grow(&mut lease, bytes.len().saturating_sub(body.len()))?;
        lease.shrink_to(bytes.len());
        Ok(lease.keep(bytes, Kind::Requests))
    }

    /// Encodes an `Export…ServiceResponse`.
    pub fn response(self, signal: Signal, receipt: &Receipt) -> Bytes {
        let Receipt { rejected, message, .. } = receipt;
        let encoded = match self {
            Media::Protobuf => answer::export_response(*rejected, message),
            Media::Json => encode_response(signal, *rejected, answer::success_message(message)),
        };
        Bytes::from(encoded)
    }

    /// Encodes a `google.rpc.Status`.
    pub fn status(self, code: Code, message: &str) -> Bytes {
        Bytes::from(match self {
            Media::Protobuf => answer::rpc_status(code, message),
            Media::Json => encode_status(code.into(), message),
        })
    }
}
