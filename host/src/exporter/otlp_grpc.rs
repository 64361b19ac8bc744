//! OTLP over gRPC: unary `Export` calls on tonic's channel.
//!
//! The call is framed here and not by tonic's client, so that a batch is compressed once for all its attempts,
//! goes to HTTP/2 as the chunks that it came in, and an answer is read by code that cannot panic on it. The
//! channel brings connecting, reconnecting, TLS and keep-alive.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, Request, Uri, Version};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

use super::compress::compress;
use super::grpc_status::GrpcStatus;
use super::outcome::{Failure, Outcome, chain};
use super::{BuildError, Frames, USER_AGENT, answer, response, tls};
use crate::config::spec::{Compression, OtlpClientSpec, Secret};
use crate::data::Signal;

/// Flag and length before each message (gRPC over HTTP/2, Length-Prefixed-Message).
const PREFIX: usize = 5;
/// Silence on a connection with open calls after which it is pinged, and the time a ping may take. Both stay
/// below the usual attempt timeout, so that a dead connection is replaced and not tried again (F34).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A client of one OTLP/gRPC endpoint, with one connection.
#[derive(Debug)]
pub struct OtlpGrpc {
    channel: Channel,
    headers: HeaderMap,
    compression: Compression,
    timeout: Duration,
}

impl OtlpGrpc {
    /// Checks the settings; connects at the first attempt.
    pub fn build(spec: &OtlpClientSpec) -> Result<Self, BuildError> {
        let refused = |why: String| BuildError::Endpoint { endpoint: spec.endpoint.clone(), why };
        let uri: Uri = spec.endpoint.parse().map_err(|error: http::uri::InvalidUri| refused(error.to_string()))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refused("it does not begin with http:// or https://".to_owned())),
        };
        let mut endpoint = Endpoint::from(uri)
            .user_agent(USER_AGENT)
            .map_err(|error| refused(chain(&error)))?
            .connect_timeout(spec.timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(TCP_KEEP_ALIVE))
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        if secure {
            let tls = tls::for_tonic(&spec.tls)?;
            endpoint = endpoint.tls_config(tls).map_err(|error| BuildError::Tls { why: chain(&error) })?;
        }
        let mut headers = custom_headers(&spec.headers)?;
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-timeout", timeout_header(spec.timeout));
        if let Some(name) = spec.compression.encoding() {
            headers.insert("grpc-encoding", HeaderValue::from_static(name));
        }
        let channel = endpoint.connect_lazy();
        Ok(OtlpGrpc { channel, headers, compression: spec.compression, timeout: spec.timeout })
    }

    /// Frames the merged request: concatenated requests are one (protobuf, "Last One Wins" and repeated fields).
    pub async fn prepare(&self, requests: &[Bytes]) -> Result<Frames, Failure> {
        let packed = compress(self.compression, PREFIX, requests)
            .await
            .map_err(|error| Failure::permanent(format!("compressing failed: {error}")))?;
        match packed {
            Some(mut packed) => {
                let head = prefix(1, packed.len() - PREFIX)?;
                if let Some(room) = packed.first_chunk_mut() {
                    *room = head;
                }
                Ok(Frames::new(vec![packed.into()]))
            }
            None => Ok(Frames::joined(&prefix(0, requests.iter().map(Bytes::len).sum())?, requests)),
        }
    }

    /// One call, within the timeout.
    pub async fn attempt(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        match tokio::time::timeout(self.timeout, self.call(signal, frames)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::unanswered(format!("no answer within {:?}", self.timeout))),
        }
    }

    async fn call(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        let mut request = Request::new(Body::new(frames.body()));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(signal.grpc_path());
        *request.headers_mut() = self.headers.clone();
        let answer = self.channel.clone().oneshot(request).await;
        let (head, body) = answer.map_err(|error| Failure::unanswered(chain(&error)))?.into_parts();
        if let Some(status) = GrpcStatus::read(&head.headers) {
            return status.verdict().map(|()| Outcome::default());
        }
        if !head.status.is_success() {
            GrpcStatus::of_http(head.status).verdict()?;
        }
        let (bytes, trailers) = response::read(body).await?;
        match GrpcStatus::read(&trailers) {
            Some(status) => status.verdict()?,
            None => return Err(Failure::unanswered("the answer ended without a status")),
        }
        // No encoding was offered, so a compressed answer (flag 1) is not read.
        let message = bytes.split_first_chunk::<PREFIX>().filter(|(head, _)| head.first() == Some(&0));
        Ok(answer::from_protobuf(message.map_or(&[], |(_, message)| message)))
    }
}

/// The headers that the pipeline file names.
pub fn custom_headers(spec: &BTreeMap<String, Secret>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::with_capacity(spec.len() + 8);
    for (name, value) in spec {
        let refused = |why| BuildError::Header { name: name.clone(), why };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("that is not a header's name"))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| refused("its value holds characters that a header must not have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// `grpc-timeout` has at most eight digits.
fn timeout_header(timeout: Duration) -> HeaderValue {
    let text = match timeout.as_millis() {
        millis @ 0..=99_999_999 => format!("{}m", millis.max(1)),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("10S"))
}

fn prefix(compressed: u8, length: usize) -> Result<[u8; PREFIX], Failure> {
    let length = u32::try_from(length).map_err(|_| Failure::permanent("the request is over 4 GiB"))?;
    let [a, b, c, d] = length.to_be_bytes();
    Ok([compressed, a, b, c, d])
}
