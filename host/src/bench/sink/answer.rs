//! The sink's answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};

use super::request::Kind;
use crate::bench::grpc_number;
use crate::receiver::answer::{Reply, rpc_status};

/// What the sink answers with.
pub type Response = http::Response<Reply>;

/// An empty message of gRPC: not compressed, no bytes.
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// How the sink refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Over gRPC.
    pub code: Code,
    /// Over HTTP.
    pub status: StatusCode,
    /// When the client should come again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// From the name of a gRPC code or the number of an HTTP status; the other protocol has what comes nearest.
    pub fn named(name: &str) -> Option<Refusal> {
        let (code, status) = match name.parse::<u16>() {
            Ok(number) => {
                let status = StatusCode::from_u16(number).ok().filter(|status| !status.is_success())?;
                let code = match number {
                    429 | 502 | 503 | 504 => Code::Unavailable,
                    401 => Code::Unauthenticated,
                    403 => Code::PermissionDenied,
                    404 => Code::Unimplemented,
                    400..=499 => Code::InvalidArgument,
                    _ => Code::Unknown,
                };
                (code, status)
            }
            Err(_) => {
                let code = Code::from_i32(grpc_number(name).filter(|&number| number > 0)?);
                let status = match code {
                    Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                    Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
                    Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                    Code::PermissionDenied => StatusCode::FORBIDDEN,
                    Code::InvalidArgument => StatusCode::BAD_REQUEST,
                    Code::Unimplemented => StatusCode::NOT_FOUND,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (code, status)
            }
        };
        Some(Refusal { code, status, retry_after: None })
    }

    /// The refusal of one request.
    pub fn answer(self, kind: Kind) -> Response {
        refused(kind, self, "the sink was told to refuse this")
    }
}

/// The request was taken.
pub fn accepted(kind: Kind) -> Response {
    let (reply, content_type) = match kind {
        Kind::Grpc => {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            (Reply::with_trailers(EMPTY, trailers), "application/grpc")
        }
        Kind::Protobuf => (Reply::empty(), "application/x-protobuf"),
        Kind::Json => (Reply::data(Bytes::from_static(b"{}")), "application/json"),
    };
    typed(reply, content_type)
}

/// The request is none.
pub fn malformed(kind: Kind, why: &str) -> Response {
    let refusal = Refusal { code: Code::InvalidArgument, status: StatusCode::BAD_REQUEST, retry_after: None };
    refused(kind, refusal, why)
}

fn refused(kind: Kind, refusal: Refusal, why: &str) -> Response {
    let Refusal { code, status, retry_after } = refusal;
    let (reply, content_type) = match kind {
        Kind::Grpc => return grpc_refused(code, retry_after, why),
        Kind::Protobuf => (Reply::data(rpc_status(code, why).into()), "application/x-protobuf"),
        Kind::Json => {
            let status = serde_json::json!({ "code": i32::from(code), "message": why });
            (Reply::data(status.to_string().into()), "application/json")
        }
    };
    let mut response = typed(reply, content_type);
    *response.status_mut() = status;
    if let Some(after) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    response
}

fn grpc_refused(code: Code, retry_after: Option<Duration>, why: &str) -> Response {
    let details = ErrorDetails::with_retry_info(retry_after);
    let status = match retry_after {
        Some(_) => tonic::Status::with_error_details(code, why, details),
        None => tonic::Status::new(code, why),
    };
    let mut response = typed(Reply::empty(), "application/grpc");
    if status.add_header(response.headers_mut()).is_err() {
        response.headers_mut().insert("grpc-status", HeaderValue::from(i32::from(code)));
    }
    response
}

fn typed(reply: Reply, content_type: &'static str) -> Response {
    let mut response = http::Response::new(reply);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_protocol_names_the_refusal_of_both() {
        let named = |name| Refusal::named(name).map(|refusal| (i32::from(refusal.code), refusal.status.as_u16()));
        assert_eq!(named("unavailable"), Some((14, 503)));
        assert_eq!(named("429"), Some((14, 429)));
        assert_eq!(named("RESOURCE_EXHAUSTED"), Some((8, 429)));
        assert_eq!(named("400"), Some((3, 400)));
        assert_eq!((named("OK"), named("200"), named("nonsense"), named("7")), (None, None, None, None));
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let refusal = Refusal { retry_after: Some(Duration::from_secs(3)), ..Refusal::named("503").unwrap() };
        assert_eq!(refusal.answer(Kind::Json).headers()[RETRY_AFTER], "3");
        let headers = refusal.answer(Kind::Grpc).headers().clone();
        let status = crate::exporter::grpc_status::GrpcStatus::read(&headers).unwrap();
        assert_eq!((status.code, status.retry_info), (Code::Unavailable, Some(Some(Duration::from_secs(3)))));
    }
}
