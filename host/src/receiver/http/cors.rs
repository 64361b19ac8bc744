//! Answers to web pages: the CORS protocol of the Fetch standard.
//!
//! Not tower-http's layer: that answers every `OPTIONS` itself, whatever its origin and path, before anything that
//! stands behind it. Here only a preflight of a page that may send is answered without a credential; whatever else
//! comes goes on to the gate.

use std::collections::HashMap;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::config::spec::{AllowedHeaders, CorsSpec};
use crate::data::Signal;
use crate::receiver::answer::Reply;

/// Headers that every page may send: those that OTLP/HTTP needs.
const ALWAYS: [&str; 2] = ["content-type", "content-encoding"];

/// Headers of one preflight that are looked at.
const ASKED_MAX: usize = 100;

/// A request of a web page that may send.
pub struct Visit<'a> {
    cors: &'a CorsSpec,
    origin: HeaderValue,
}

impl<'a> Visit<'a> {
    /// None: the request is not of a page, or not of one that may send.
    pub fn of<B>(cors: &'a CorsSpec, request: &Request<B>) -> Option<Visit<'a>> {
        let origin = request.headers().get(ORIGIN)?;
        let named = origin.to_str().ok()?;
        let may = cors.origins.iter().any(|allowed| allowed.includes(named));
        may.then(|| Visit { cors, origin: origin.clone() })
    }

    /// The answer to a preflight. None: it is none, or the page asks for what it may not do.
    pub fn preflight<B>(&self, paths: &HashMap<String, Signal>, request: &Request<B>) -> Option<Response<Reply>> {
        let headers = request.headers();
        let is_question = request.method() == Method::OPTIONS
            && headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| method == Method::POST.as_str())
            && paths.contains_key(request.uri().path());
        if !is_question {
            return None;
        }
        let asked = asked(headers)?;
        if !asked.iter().all(|name| self.may_send(name)) {
            return None;
        }
        let mut response = Response::new(Reply::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let out = response.headers_mut();
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        let names: Vec<&str> = asked.iter().map(HeaderName::as_str).collect();
        if let Some(names) = Some(names.join(", ")).filter(|names| !names.is_empty()) {
            out.extend(HeaderValue::try_from(names).ok().map(|names| (ACCESS_CONTROL_ALLOW_HEADERS, names)));
        }
        if let Some(age) = self.cors.max_age {
            out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.as_secs()));
        }
        let vary = "origin, access-control-request-method, access-control-request-headers";
        out.insert(VARY, HeaderValue::from_static(vary));
        Some(response)
    }

    /// Lets the page read an answer: refusals too, so that it knows when to come again.
    pub fn mark(self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }

    fn may_send(&self, name: &HeaderName) -> bool {
        ALWAYS.contains(&name.as_str())
            || match &self.cors.headers {
                AllowedHeaders::Any => true,
                AllowedHeaders::These(names) => names.contains(name),
            }
    }
}

/// The headers that a page would like to send; none if they cannot be read.
fn asked(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut asked = Vec::new();
    for list in headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
        for name in list.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if asked.len() == ASKED_MAX {
                return None;
            }
            asked.push(HeaderName::try_from(name).ok()?);
        }
    }
    Some(asked)
}
