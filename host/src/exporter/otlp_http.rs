//! OTLP over HTTP/1.1 or, where TLS negotiates it, HTTP/2: protobuf or JSON.
//!
//! Redirects are not followed: an answer that is not a success, nor one of the four statuses that the protocol
//! lets a client retry, is a refusal for good.

#[cfg(test)]
mod tests;

use std::io::Read;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT as AGENT,
};
use http::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::auth::{Pass, Setback};
use super::compress::{Packed, Packer};
use super::connector::Connector;
use super::frames::FramesBody;
use super::outcome::{Failure, Outcome, chain};
use super::{Access, BuildError, Frames, KEEP_ALIVE, KEEP_ALIVE_TIMEOUT, USER_AGENT};
use super::{answer, endpoint, response, retry_after};
use crate::config::spec::{Encoding, OtlpHttpClientSpec};
use crate::data::{Signal, json};

/// Idle connections are kept so long.
const IDLE: Duration = Duration::from_secs(90);
/// A client of one OTLP/HTTP endpoint, with a pool of connections.
#[derive(Debug)]
pub struct OtlpHttp {
    client: Client<Connector, FramesBody>,
    access: Access,
    urls: [Uri; Signal::ALL.len()],
    headers: HeaderMap,
    encoding: Encoding,
    packer: Packer,
    timeout: Duration,
}

impl OtlpHttp {
    /// Checks the settings; connects at the first attempt.
    pub fn build(spec: &OtlpHttpClientSpec, access: &Access) -> Result<Self, BuildError> {
        let [traces, metrics, logs] = Signal::ALL.map(|signal| url(spec, signal));
        let urls = [traces?, metrics?, logs?];
        let mut headers = endpoint::headers(&spec.client.headers)?;
        headers.insert(AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(spec.encoding)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(spec.client.max_in_flight.get())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .build(access.connector(spec.client.timeout));
        let OtlpHttpClientSpec { client: common, encoding, .. } = spec;
        let (packer, access, timeout) = (access.packer(&common.compression), access.clone(), common.timeout);
        Ok(OtlpHttp { client, access, urls, headers, encoding: *encoding, packer, timeout })
    }

    /// Encodes and compresses the merged request.
    pub async fn prepare(&self, signal: Signal, requests: &[Bytes]) -> Result<Frames, Failure> {
        let json;
        let body = match self.encoding {
            Encoding::Protobuf => requests,
            Encoding::Json => {
                json = [encode_json(signal, requests)?];
                &json
            }
        };
        let packed = self.packer.pack(0, body).await;
        match packed.map_err(|error| Failure::permanent(format!("compressing failed: {error}")))? {
            Some(Packed { bytes, codec }) => {
                Ok(Frames::packed(bytes.into(), codec, self.packer.may_change().then_some(body)))
            }
            None => Ok(Frames::new(body.iter().cloned())),
        }
    }

    /// One request, within the timeout; two, if the peer refuses a credential that can be had anew.
    pub async fn attempt(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        self.access.attempt(|pass| self.call_in_time(signal, frames, pass)).await
    }

    async fn call_in_time(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        match tokio::time::timeout(self.timeout, self.call(signal, frames, pass)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::unanswered(format!("no answer within {:?}", self.timeout)).into()),
        }
    }

    /// One request; two, if it may be the compression that the peer refuses, and the choice of it is ours.
    async fn call(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        let result = self.send(signal, frames, pass.clone()).await;
        match (result, frames.instead()) {
            (Err(Setback::Unread(_)), Some((codec, body))) => {
                let outcome = self.send(signal, &Frames::new(body.iter().cloned()), pass).await?;
                self.packer.refused(codec);
                Ok(outcome)
            }
            (result, _) => result,
        }
    }

    async fn send(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        let [traces, metrics, logs] = &self.urls;
        let url = match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        };
        let mut request = Request::new(frames.body());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(name) = frames.codec().and_then(|codec| codec.compression.encoding()) {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        if let Some(pass) = pass {
            request.headers_mut().insert(AUTHORIZATION, pass.header);
        }
        let answer = self.client.request(request).await.map_err(|error| Failure::unanswered(chain(&error)))?;
        let (head, body) = answer.into_parts();
        let (bytes, _) = match response::read(body).await {
            // Of a retryable status only the status counts, whatever became of its body.
            Err(_) if retryable(head.status) => (Bytes::new(), HeaderMap::new()),
            read => read?,
        };
        let bytes = unpacked(&head.headers, bytes)?;
        let json =
            head.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        if head.status.is_success() {
            return Ok(if json { answer::from_json(signal, &bytes) } else { answer::from_protobuf(&bytes) });
        }
        let message = answer::status_message(json, &bytes);
        let why = format!("the peer answered HTTP {}: {message}", head.status.as_u16());
        if retryable(head.status) {
            let value = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = value.and_then(|value| retry_after::read(value, SystemTime::now()));
            return Err(Failure::Retryable { after, why }.into());
        }
        let failure = Failure::Permanent { why };
        Err(match head.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Setback::Unwelcome(failure),
            // 415 is the answer to an encoding that is not known (RFC 9110); many servers say 400.
            StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::BAD_REQUEST => Setback::Unread(failure),
            _ => Setback::Other(failure),
        })
    }
}

/// The statuses that mean "later" (E11).
fn retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

const fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}

/// Concatenated requests are one request only in protobuf, so JSON is made of the joined bytes.
fn encode_json(signal: Signal, requests: &[Bytes]) -> Result<Bytes, Failure> {
    let joined;
    let request = match requests {
        [one] => one.as_ref(),
        many => {
            joined = many.concat();
            joined.as_slice()
        }
    };
    let mut out = Vec::with_capacity(request.len() * 3);
    json::encode(signal, request, &mut out)
        .map_err(|error| Failure::permanent(format!("the request cannot be written as JSON: {error}")))?;
    Ok(out.into())
}

/// Where a signal goes: its own URL as it is, or the base and `v1/{signal}` (E17–E19).
fn url(spec: &OtlpHttpClientSpec, signal: Signal) -> Result<Uri, BuildError> {
    let base = &spec.client.endpoint;
    let text = match spec.endpoints.get(&signal) {
        Some(whole) => whole.clone(),
        None => format!("{}{}", base.trim_end_matches('/'), signal.http_path()),
    };
    endpoint::parse(&text)
}

/// Inflates an answer that came compressed although that was not asked for, within the limit of an answer (F33).
/// What cannot be read is as good as empty: the status has said what matters.
fn unpacked(headers: &HeaderMap, bytes: Bytes) -> Result<Bytes, Failure> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(bytes),
        Some(b"gzip") => {
            let mut plain = Vec::new();
            let limit = response::RESPONSE_BYTES_MAX as u64 + 1;
            let read = flate2::read::MultiGzDecoder::new(bytes.as_ref()).take(limit).read_to_end(&mut plain);
            match read {
                Ok(_) if plain.len() > response::RESPONSE_BYTES_MAX => Err(response::too_large()),
                Ok(_) => Ok(plain.into()),
                Err(_) => Ok(Bytes::new()),
            }
        }
        Some(_) => Ok(Bytes::new()),
    }
}
