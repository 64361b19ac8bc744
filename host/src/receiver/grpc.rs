//! OTLP/gRPC: one request in, its answer out.
//!
//! The framing of a unary call is five bytes before the message, so it is done here and not by tonic: that way the
//! message is never copied or decoded, all members of a gzip and no large zstd windows are accepted, and every failure
//! gets the code that OTLP asks for (tonic answers too large messages with the retryable `OUT_OF_RANGE`, broken ones
//! with `INTERNAL`).
//!
//! Sources: "gRPC over HTTP2" for the framing, OTLP specification, OTLP/gRPC, for the codes.

mod deadline;
mod reply;

use bytes::{Buf, Bytes};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use http_body::Body;
use tonic::Code;
use tonic::metadata::MetadataValue;

use self::deadline::Deadline;
use self::reply::Failure;
use super::admission::{Caller, Ticket};
use super::answer::Reply;
use super::body;
use super::inflate::Coding;
use super::meter::Outcome;
use super::wiring::Wiring;
use crate::data::Signal;
use crate::data::intake::{Receipt, Request};
use crate::gate::Denied;

/// A flag that says whether the message is compressed, and its length in four bytes.
const PREFIX: usize = 5;

/// What `grpc-encoding` may be.
const ENCODINGS: &str = "gzip,zstd,identity";

static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Answers one call. Dropping the future, as a lost connection does, drops what the intake was doing for it.
pub async fn answer<B>(wiring: &Wiring, limit: usize, caller: Caller, request: http::Request<B>) -> Response<Reply>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, mut body) = request.into_parts();
    let (outcome, response) = if head.method != Method::POST {
        (Outcome::Unsupported, reply::not_grpc(StatusCode::METHOD_NOT_ALLOWED))
    } else if !is_grpc(&head.headers) {
        (Outcome::Unsupported, reply::not_grpc(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    } else {
        match call(wiring, limit, caller, &head, &mut body).await {
            Ok(receipt) => (Outcome::of(&receipt), reply::success(&receipt, &head.headers)),
            Err(failure) => {
                failure.limit.into_iter().for_each(|limit| wiring.meter.limited(limit));
                (failure.outcome, reply::failure(&failure))
            }
        }
    };
    wiring.meter.ended(outcome);
    response
}

/// Answers a call that is not let in.
pub fn deny<B>(wiring: &Wiring, denied: &Denied, request: &http::Request<B>) -> Response<Reply> {
    let failure = Failure::denied(denied);
    wiring.meter.ended(failure.outcome);
    if request.method() == Method::POST && is_grpc(request.headers()) {
        return reply::failure(&failure);
    }
    reply::denied(&failure, &denied.challenges)
}

async fn call<B>(wiring: &Wiring, limit: usize, caller: Caller, head: &Parts, body: &mut B) -> Result<Receipt, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let Some(signal) = signal(head.uri.path()) else {
        let message = format!("{} is not served here; OTLP traces, metrics and logs are", head.uri.path());
        return Err(Failure::new(Outcome::Unsupported, Code::Unimplemented, &message));
    };
    let deadline = Deadline::of(&head.headers)?;
    let coding = coding(&head.headers)?;
    let mut ticket = wiring.admission.enter(caller, &head.headers)?;
    let limit = limit.min(wiring.admission.largest());
    let work = async {
        let whole = limit.saturating_add(PREFIX);
        let framed = body::read(body, whole, wiring.timeouts.body, &mut ticket, framed_length).await?;
        let bytes = message(framed, coding, limit, &mut ticket)?;
        ticket.records(signal, &bytes)?;
        take(wiring, Request { signal, bytes, shard: caller.shard }).await
    };
    deadline.bound(work).await
}

async fn take(wiring: &Wiring, request: Request) -> Result<Receipt, Failure> {
    let Request { signal, bytes, .. } = request.clone();
    match wiring.intake.take(request).await {
        Ok(receipt) => {
            wiring.meter.taken(signal, &receipt);
            Ok(receipt)
        }
        Err(refusal) => {
            wiring.meter.refused(signal, &refusal, &bytes);
            Err(Failure::from(refusal))
        }
    }
}

fn signal(path: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal.grpc_path() == path)
}

/// `application/grpc`, also with `+proto`, and with parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    ["application/grpc", "application/grpc+proto"].iter().any(|accepted| media_type.eq_ignore_ascii_case(accepted))
}

fn coding(headers: &HeaderMap) -> Result<Coding, Failure> {
    let Some(name) = headers.get(&GRPC_ENCODING) else { return Ok(Coding::Identity) };
    name.to_str().ok().and_then(Coding::named).ok_or_else(|| {
        let message = format!("grpc-encoding {name:?} is not supported; {ENCODINGS} are");
        let mut failure = Failure::new(Outcome::Unsupported, Code::Unimplemented, &message);
        failure.status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static(ENCODINGS));
        failure
    })
}

/// How long the body will be, told by the prefix.
fn framed_length(body: &[u8]) -> Option<u64> {
    let [_, length @ ..] = body.first_chunk::<PREFIX>()?;
    Some(u64::from(u32::from_be_bytes(*length)) + PREFIX as u64)
}

/// The one message of a unary request.
fn message(mut framed: Bytes, coding: Coding, limit: usize, ticket: &mut Ticket) -> Result<Bytes, Failure> {
    let malformed = |message: &str| Err(Failure::new(Outcome::Malformed, Code::InvalidArgument, message));
    if framed.is_empty() {
        return malformed("the call carries no message");
    }
    let (Some(&flag), Some(length)) = (framed.first(), framed_length(&framed)) else {
        return malformed("the message is cut short in its prefix");
    };
    if (framed.len() as u64) < length {
        return malformed("the message is shorter than its prefix says");
    }
    if (framed.len() as u64) > length {
        return malformed("a unary call carries one message only");
    }
    framed.advance(PREFIX);
    match (flag, coding) {
        (0, _) => Ok(Coding::Identity.inflate(framed, limit)?),
        (1, Coding::Gzip | Coding::Zstd) => Ok(coding.inflate_within(framed, limit, ticket)?),
        // The code is that of the gRPC compression specification.
        (1, Coding::Identity) => {
            let message = "the message is flagged as compressed, but grpc-encoding does not say how";
            Err(Failure::new(Outcome::Malformed, Code::Internal, message))
        }
        _ => malformed("the message's compression flag is neither 0 nor 1"),
    }
}
