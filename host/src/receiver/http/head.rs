//! What a request's head has to say before its body is read.

use std::collections::HashMap;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use tonic::Code;

use super::media::Media;
use super::reply::Problem;
use crate::data::Signal;
use crate::receiver::inflate::Coding;
use crate::receiver::meter::{Limit, Outcome};

/// The head of a request that may be read on.
pub(super) struct Head {
    pub signal: Signal,
    pub media: Media,
    pub coding: Coding,
    /// As the client says, if it does.
    pub length: Option<u64>,
}

impl Head {
    /// Checks path, method, media type, encoding and length, in that order.
    pub fn check(
        parts: &Parts,
        paths: &HashMap<String, Signal>,
        media: Option<Media>,
        limit: usize,
    ) -> Result<Head, Problem> {
        let unsupported =
            |status, code, message: String| Err(Problem::new(Outcome::Unsupported, status, code, &message));
        let path = parts.uri.path();
        let Some(&signal) = paths.get(path) else {
            let mut served: Vec<_> = paths.keys().map(String::as_str).collect();
            served.sort_unstable();
            let message = format!("{path} is not served here; {} are", served.join(", "));
            return unsupported(StatusCode::NOT_FOUND, Code::NotFound, message);
        };
        if parts.method != Method::POST {
            let message = format!("{} is not allowed: telemetry is sent with POST", parts.method);
            return unsupported(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, message);
        }
        let Some(media) = media else {
            let given = shown(&parts.headers, &CONTENT_TYPE);
            let message =
                format!("content-type {given} is not supported; application/x-protobuf and application/json are");
            return unsupported(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message);
        };
        let Some(coding) = coding(&parts.headers) else {
            let given = shown(&parts.headers, &CONTENT_ENCODING);
            let message = format!("content-encoding {given} is not supported; gzip, zstd and identity are");
            return unsupported(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message);
        };
        let length = length(&parts.headers);
        if length.is_some_and(|length| length > limit as u64) {
            return Err(Problem::too_large(&format!("the request is larger than {limit} bytes")));
        }
        Ok(Head { signal, media, coding, length })
    }
}

/// Refuses headers over HTTP/1.1 that are over the limit. hyper holds those of HTTP/2 to it, and no head at all can be
/// larger than its buffer, some 400 KiB.
pub(super) fn check_size(parts: &Parts, limit: u32) -> Result<(), Problem> {
    // What HTTP/2 counts (RFC 9113, 6.5.2).
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len() + 32;
    if parts.headers.iter().map(size).sum::<usize>() <= limit as usize {
        return Ok(());
    }
    let message = format!("the headers are larger than {limit} bytes");
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    Err(Problem::new(Outcome::TooLarge, status, Code::ResourceExhausted, &message).at(Limit::Headers))
}

/// The one coding of the body; none if it is unknown, or there are several.
fn coding(headers: &HeaderMap) -> Option<Coding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(Coding::Identity),
        (Some(value), None) => Coding::named(value.to_str().ok()?),
        _ => None,
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn shown(headers: &HeaderMap, name: &http::HeaderName) -> String {
    headers.get(name).map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}
