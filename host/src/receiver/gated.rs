//! What stands before the protocols: origins of browsers, then credentials. Nothing of a body is read here.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::admission::Caller;
use super::answer::Reply;
use super::wiring::{Protocol, Wiring};
use super::{grpc, http as otlp_http};

/// Answers one request, from wherever it comes.
pub async fn answer<B>(wiring: &Wiring, shard: usize, peer: SocketAddr, request: Request<B>) -> Response<Reply>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let caller = Caller { shard, peer: peer.ip() };
    match &wiring.protocol {
        Protocol::Grpc(spec) => match wiring.gate.admit(request.headers(), peer).await {
            Ok(()) => grpc::answer(wiring, spec.limits.max_request_bytes, caller, request).await,
            Err(denied) => grpc::deny(wiring, &denied, &request),
        },
        Protocol::Http { spec, paths } => {
            let cors = spec.cors.as_ref().and_then(|cors| otlp_http::Visit::of(cors, &request));
            // Browsers send no credentials with the question whether they may send any.
            if let Some(reply) = cors.as_ref().and_then(|visit| visit.preflight(paths, &request)) {
                return reply;
            }
            let mut response = match wiring.gate.admit(request.headers(), peer).await {
                Ok(()) => otlp_http::answer(wiring, spec, paths, caller, request).await,
                Err(denied) => otlp_http::deny(wiring, &denied, request).await,
            };
            if let Some(visit) = cors {
                visit.mark(response.headers_mut());
            }
            response
        }
    }
}
