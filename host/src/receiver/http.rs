//! OTLP/HTTP: one request in, its answer out, over HTTP/1.1 and HTTP/2.
//!
//! Source: OTLP specification, OTLP/HTTP. Every answer has the request's media type, errors included; an error's body
//! is a `google.rpc.Status`.

mod cors;
mod head;
mod media;
mod reply;

use std::collections::HashMap;

use bytes::Bytes;
use http::header::EXPECT;
use http::request::Parts;
use http::{HeaderMap, Method, Response, Version};
use http_body::Body;

pub use self::cors::Visit;
use self::head::Head;
use self::media::Media;
use self::reply::Problem;
use super::admission::Caller;
use super::answer::Reply;
use super::body;
use super::meter::Outcome;
use super::wiring::Wiring;
use crate::config::spec::HttpServerSpec;
use crate::data::Signal;
use crate::data::intake::{Receipt, Request};
use crate::gate::Denied;

/// How much of the body of a refused request is read and forgotten, so that an HTTP/1.1 connection survives.
const FORGOTTEN_MAX: usize = 4 << 20;

/// Answers one request. Dropping the future, as a lost connection does, drops what the intake was doing for it.
pub async fn answer<B>(
    wiring: &Wiring,
    spec: &HttpServerSpec,
    paths: &HashMap<String, Signal>,
    caller: Caller,
    request: http::Request<B>,
) -> Response<Reply>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (parts, mut body) = request.into_parts();
    let media = Media::of(&parts.headers);
    let limit = spec.limits.max_request_bytes.min(wiring.admission.largest());
    let head = head::check_size(&parts, spec.admission.max_header_bytes)
        .and_then(|()| Head::check(&parts, paths, media, limit));
    let taken = match head {
        Ok(head) => take(wiring, spec, head, caller, &parts.headers, &mut body).await,
        Err(problem) => Err(problem),
    };
    match taken {
        Ok((signal, receipt)) => {
            wiring.meter.ended(Outcome::of(&receipt));
            reply::success(signal, &receipt, media.unwrap_or_default(), &parts.headers)
        }
        Err(problem) => refuse(wiring, &parts, &mut body, &problem).await,
    }
}

/// Answers a request that is not let in.
pub async fn deny<B>(wiring: &Wiring, denied: &Denied, request: http::Request<B>) -> Response<Reply>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (parts, mut body) = request.into_parts();
    refuse(wiring, &parts, &mut body, &Problem::denied(denied)).await
}

async fn refuse<B>(wiring: &Wiring, parts: &Parts, body: &mut B, problem: &Problem) -> Response<Reply>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    wiring.meter.ended(problem.outcome);
    problem.limit.into_iter().for_each(|limit| wiring.meter.limited(limit));
    let survives = rest_is_read(parts, body, wiring).await;
    let mut response = reply::problem(problem, Media::of(&parts.headers).unwrap_or_default(), survives);
    if parts.method == Method::HEAD {
        // It is answered without a body, and over HTTP/2 hyper leaves that to us.
        *response.body_mut() = Reply::empty();
    }
    response
}

async fn take<B>(
    wiring: &Wiring,
    spec: &HttpServerSpec,
    head: Head,
    caller: Caller,
    headers: &HeaderMap,
    body: &mut B,
) -> Result<(Signal, Receipt), Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let limit = spec.limits.max_request_bytes.min(wiring.admission.largest());
    let Head { signal, media, coding, length } = head;
    let mut ticket = wiring.admission.enter(caller, headers)?;
    let body = body::read(body, limit, wiring.timeouts.body, &mut ticket, |_| length).await?;
    let body = coding.inflate_within(body, limit, &mut ticket)?;
    let bytes = media.decode(signal, body, &spec.limits, &mut ticket)?;
    ticket.records(signal, &bytes)?;
    match wiring.intake.take(Request { signal, bytes: bytes.clone(), shard: caller.shard }).await {
        Ok(receipt) => {
            wiring.meter.taken(signal, &receipt);
            Ok((signal, receipt))
        }
        Err(refusal) => {
            wiring.meter.refused(signal, &refusal, &bytes);
            Err(Problem::from(refusal))
        }
    }
}

/// Whether the connection can carry another request after a refused one: on HTTP/2 always, on HTTP/1.1 when the rest
/// of the body is out of the way. A client that waits to be asked for its body is not asked.
async fn rest_is_read<B>(parts: &Parts, body: &mut B, wiring: &Wiring) -> bool
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if parts.version == Version::HTTP_2 || body.is_end_stream() {
        return true;
    }
    if parts.headers.contains_key(EXPECT) {
        return false;
    }
    body::discard(body, FORGOTTEN_MAX, wiring.timeouts.rest).await
}
