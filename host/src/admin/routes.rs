//! Which path answers what.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::accounting;
use super::board::Board;
use super::exposition::Format;
use crate::audit::Query;
use crate::gate::Denied;

/// An answer: everything here is small enough to be made whole.
type Answer = Response<Full<Bytes>>;

const PATHS: &str = "/metrics, /healthz, /readyz, /status, /audit";

/// Answers requests from the registry and the board.
#[derive(Debug)]
pub(super) struct Routes {
    registry: Arc<Registry>,
    board: Arc<Board>,
}

impl Routes {
    pub fn new(registry: Arc<Registry>, board: Arc<Board>) -> Self {
        Routes { registry, board }
    }

    /// Answers one request. Bodies of requests are not read.
    pub fn answer<B>(&self, request: &Request<B>) -> Answer {
        let answer: fn(&Self, &Request<B>) -> Answer = match request.uri().path() {
            "/metrics" => Self::metrics,
            "/healthz" => |routes, _| routes.health(),
            "/readyz" => |routes, _| routes.readiness(),
            "/status" => |routes, _| routes.status(),
            "/audit" => Self::audit,
            _ => |_, _| text(StatusCode::NOT_FOUND, format!("not found; there are {PATHS}\n")),
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer(self, request);
        }
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        answer
    }

    fn metrics<B>(&self, request: &Request<B>) -> Answer {
        let accept = request.headers().get(ACCEPT).and_then(|x| x.to_str().ok()).unwrap_or_default();
        let format = Format::negotiate(accept);
        match format.write(&self.registry) {
            Ok(body) => respond(StatusCode::OK, format.content_type(), body),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n".to_owned()),
        }
    }

    fn health(&self) -> Answer {
        let health = self.board.health();
        json(if health.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &health)
    }

    fn readiness(&self) -> Answer {
        let readiness = self.board.readiness();
        json(if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
    }

    fn audit<B>(&self, request: &Request<B>) -> Answer {
        match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => json(StatusCode::OK, &self.board.audit().report(&query)),
            Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    }

    fn status(&self) -> Answer {
        let metrics = Format::OpenMetrics.write(&self.registry).unwrap_or_default();
        json(StatusCode::OK, &self.board.status(accounting::totals(&metrics)))
    }
}

/// Whether a path is answered without a credential: those of probes, which have none and learn next to nothing.
pub(super) fn is_open<B>(request: &Request<B>) -> bool {
    matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// The answer to a request that is not let in.
pub(super) fn denied(denied: &Denied) -> Answer {
    let busy = denied.retry_after();
    let status = if busy.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNAUTHORIZED };
    let mut answer = text(status, format!("{}\n", denied.denial.message()));
    for challenge in denied.challenges.iter() {
        answer.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
    }
    answer.headers_mut().extend(busy.map(|after| (RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))));
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_string_pretty(body) {
        Ok(body) => respond(status, "application/json", body + "\n"),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the answer could not be written: {error}\n")),
    }
}

fn text(status: StatusCode, body: String) -> Answer {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
