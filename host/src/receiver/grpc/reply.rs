//! The answers of OTLP/gRPC.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::PREFIX;
use crate::data::intake::{Receipt, Refusal};
use crate::gate::Denied;
use crate::receiver::admission::TurnedAway;
use crate::receiver::answer::{Reply, error_message, export_response, rpc_status};
use crate::receiver::body::BodyError;
use crate::receiver::inflate::{InflateError, gzip_answer};
use crate::receiver::meter::{Limit, Outcome};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The framed answer of full success, whose message is empty.
const NOTHING_TO_SAY: &[u8] = &[0; PREFIX];

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Why a call failed, and how that is counted.
pub(super) struct Failure {
    pub status: Status,
    pub outcome: Outcome,
    /// The limit of the listener that was crossed.
    pub limit: Option<Limit>,
}

impl Failure {
    pub fn new(outcome: Outcome, code: Code, message: &str) -> Failure {
        Failure { status: Status::new(code, error_message(message)), outcome, limit: None }
    }

    /// Not now, but after a while: with RetryInfo, so that it is retried (OTLP/gRPC Throttling).
    fn busy(message: &str, retry_after: Duration) -> Failure {
        let details = ErrorDetails::with_retry_info(Some(retry_after));
        let status = Status::with_error_details(Code::Unavailable, error_message(message), details);
        Failure { status, outcome: Outcome::Busy, limit: None }
    }

    pub fn denied(denied: &Denied) -> Failure {
        let message = denied.denial.message();
        match denied.retry_after() {
            Some(retry_after) => Failure::from(Refusal::Busy { reason: message.to_owned(), retry_after }),
            None => Failure::new(Outcome::Unauthenticated, Code::Unauthenticated, message),
        }
    }
}

impl From<TurnedAway> for Failure {
    fn from(TurnedAway { limit, reason, retry_after }: TurnedAway) -> Self {
        Failure { limit: Some(limit), ..Failure::busy(&reason, retry_after) }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        let message = error.to_string();
        let (outcome, code) = match error {
            // Without RetryInfo: it will not shrink (OTLP, Failures).
            BodyError::TooLarge { .. } => (Outcome::TooLarge, Code::ResourceExhausted),
            BodyError::TooSlow { .. } => {
                let failure = Failure::new(Outcome::Timeout, Code::DeadlineExceeded, &message);
                return Failure { limit: Some(Limit::Body), ..failure };
            }
            // Nobody is there to read it.
            BodyError::Broken(_) => (Outcome::Malformed, Code::Cancelled),
            BodyError::TurnedAway(turned_away) => return Failure::from(turned_away),
        };
        Failure::new(outcome, code, &message)
    }
}

impl From<InflateError> for Failure {
    fn from(error: InflateError) -> Self {
        let message = error.to_string();
        let (outcome, code) = match error {
            InflateError::TooLarge { .. } => (Outcome::TooLarge, Code::ResourceExhausted),
            InflateError::Corrupt(_) => (Outcome::Malformed, Code::InvalidArgument),
            InflateError::TurnedAway(turned_away) => return Failure::from(turned_away),
        };
        Failure::new(outcome, code, &message)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let outcome = Outcome::refused(&refusal);
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(_) => Failure::new(outcome, Code::InvalidArgument, &message),
            Refusal::TooLarge(_) => Failure::new(outcome, Code::ResourceExhausted, &message),
            Refusal::NoPipeline(_) => Failure::new(outcome, Code::Unimplemented, &message),
            Refusal::Busy { retry_after, .. } => Failure::busy(&message, retry_after),
        }
    }
}

/// The request was taken, wholly or in part. The message is compressed if that is worth it and the client takes gzip.
pub(super) fn success(receipt: &Receipt, request: &HeaderMap) -> Response<Reply> {
    let message = export_response(receipt.rejected, &receipt.message);
    let mut compressed = None;
    let framed = if message.is_empty() {
        Bytes::from_static(NOTHING_TO_SAY)
    } else {
        compressed = accepts_gzip(request).then(|| gzip_answer(&message)).flatten();
        compressed.as_deref().map_or_else(|| framed(0, &message), |compressed| framed(1, compressed))
    };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(&GRPC_STATUS, HeaderValue::from_static("0"));
    let mut response = Response::new(Reply::with_trailers(framed, trailers));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    if compressed.is_some() {
        response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    response
}

/// The call failed: trailers only.
pub(super) fn failure(failure: &Failure) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    // Percent-encoding leaves nothing that a header could not hold; the code matters more than its text.
    if failure.status.add_header(headers).is_err() {
        headers.insert(&GRPC_STATUS, HeaderValue::from(i32::from(failure.status.code())));
    }
    response
}

/// The request is not gRPC at all, and not let in either: a `google.rpc.Status` says so.
pub(super) fn denied(failure: &Failure, challenges: &[HeaderValue]) -> Response<Reply> {
    let status = rpc_status(failure.status.code(), failure.status.message());
    let mut response = Response::new(Reply::data(Bytes::from(status)));
    let is_busy = failure.outcome == Outcome::Busy;
    *response.status_mut() = if is_busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNAUTHORIZED };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    for challenge in challenges {
        response.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

/// The request is not gRPC at all ("gRPC over HTTP2" asks for a status of HTTP then).
pub(super) fn not_grpc(status: StatusCode) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(flag);
    // `export_response` bounds it far below 4 GiB.
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get("grpc-accept-encoding").and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| list.split(',').any(|name| name.trim().eq_ignore_ascii_case("gzip")))
}
