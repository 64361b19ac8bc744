//! The answers of OTLP/HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tonic::Code;

use super::media::Media;
use crate::data::Signal;
use crate::data::intake::{Receipt, Refusal};
use crate::gate::Denied;
use crate::receiver::admission::TurnedAway;
use crate::receiver::answer::{Reply, error_message};
use crate::receiver::body::BodyError;
use crate::receiver::inflate::{InflateError, gzip_answer};
use crate::receiver::meter::{Limit, Outcome};

/// Why a request was refused, and how that is said and counted.
pub(super) struct Problem {
    pub outcome: Outcome,
    status: StatusCode,
    code: Code,
    message: String,
    retry_after: Option<Duration>,
    /// The limit of the listener that was crossed.
    pub limit: Option<Limit>,
    /// What would be accepted, for whoever was not let in.
    challenges: Arc<[HeaderValue]>,
}

impl Problem {
    pub fn new(outcome: Outcome, status: StatusCode, code: Code, message: &str) -> Problem {
        Problem {
            outcome,
            status,
            code,
            message: error_message(message).to_owned(),
            retry_after: None,
            limit: None,
            challenges: Arc::default(),
        }
    }

    /// The same, for a limit of the listener.
    pub fn at(self, limit: Limit) -> Problem {
        Problem { limit: Some(limit), ..self }
    }

    pub fn denied(denied: &Denied) -> Problem {
        let message = denied.denial.message();
        match denied.retry_after() {
            Some(retry_after) => Problem::from(Refusal::Busy { reason: message.to_owned(), retry_after }),
            None => Problem {
                challenges: Arc::clone(&denied.challenges),
                ..Problem::new(Outcome::Unauthenticated, StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
            },
        }
    }

    pub fn too_large(message: &str) -> Problem {
        Problem::new(Outcome::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, message)
    }

    pub fn malformed(message: &str) -> Problem {
        Problem::new(Outcome::Malformed, StatusCode::BAD_REQUEST, Code::InvalidArgument, message)
    }
}

impl From<TurnedAway> for Problem {
    /// Too many requests are the client's, everything else is ours (OTLP/HTTP Throttling: 429 and 503).
    fn from(TurnedAway { limit, reason, retry_after }: TurnedAway) -> Self {
        let status = match limit {
            Limit::RequestRate | Limit::RecordRate => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = Problem::new(Outcome::Busy, status, Code::Unavailable, &reason);
        Problem { retry_after: Some(retry_after), limit: Some(limit), ..problem }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let message = error.to_string();
        match error {
            BodyError::TooLarge { .. } => Problem::too_large(&message),
            BodyError::TooSlow { .. } => {
                let status = StatusCode::REQUEST_TIMEOUT;
                Problem::new(Outcome::Timeout, status, Code::DeadlineExceeded, &message).at(Limit::Body)
            }
            BodyError::Broken(_) => Problem::malformed(&message),
            BodyError::TurnedAway(turned_away) => Problem::from(turned_away),
        }
    }
}

impl From<InflateError> for Problem {
    fn from(error: InflateError) -> Self {
        let message = error.to_string();
        match error {
            InflateError::TooLarge { .. } => Problem::too_large(&message),
            InflateError::Corrupt(_) => Problem::malformed(&message),
            InflateError::TurnedAway(turned_away) => Problem::from(turned_away),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(_) => Problem::malformed(&message),
            Refusal::TooLarge(_) => Problem::too_large(&message),
            Refusal::NoPipeline(_) => {
                Problem::new(Outcome::Unsupported, StatusCode::NOT_FOUND, Code::Unimplemented, &message)
            }
            Refusal::Busy { retry_after, .. } => Problem {
                retry_after: Some(retry_after),
                ..Problem::new(Outcome::Busy, StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, &message)
            },
        }
    }
}

/// The request was taken, wholly or in part.
pub(super) fn success(signal: Signal, receipt: &Receipt, media: Media, request: &HeaderMap) -> Response<Reply> {
    let message = media.response(signal, receipt);
    let compressed = if accepts_gzip(request) { gzip_answer(&message) } else { None };
    let encoding = compressed.is_some().then(|| HeaderValue::from_static("gzip"));
    let mut response = reply(StatusCode::OK, media, compressed.unwrap_or(message));
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

/// The request was refused. `survives`: the connection may carry another one.
pub(super) fn problem(problem: &Problem, media: Media, survives: bool) -> Response<Reply> {
    let mut response = reply(problem.status, media, media.status(problem.code, &problem.message));
    let headers = response.headers_mut();
    if problem.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(retry_after) = problem.retry_after {
        // Whole seconds, rounded up, and never "at once".
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    for challenge in problem.challenges.iter() {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    if !survives {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn reply(status: StatusCode, media: Media, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media.content_type());
    response
}

/// Whether `Accept-Encoding` names gzip, or anything, and not with a weight of nothing.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "*") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r22_gzip_goes_out_only_where_it_is_accepted() {
        let accepts = |list| accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(list))]));
        assert!(accepts("gzip") && accepts("deflate, GZIP;q=0.5") && accepts("*"));
        assert!(!accepts("") && !accepts("identity, br") && !accepts("gzip;q=0"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
