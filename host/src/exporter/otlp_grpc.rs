//! OTLP over gRPC: unary `Export` calls on tonic's channel.
//!
//! The call is framed here and not by tonic's client, so that a batch is compressed once for all its attempts,
//! goes to HTTP/2 as the chunks that it came in, and an answer is read by code that cannot panic on it. The
//! channel brings connecting, reconnecting, TLS and keep-alive.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::{Method, Request, Uri, Version};
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

use super::auth::{Pass, Setback};
use super::compress::{Packed, Packer};
use super::grpc_status::GrpcStatus;
use super::outcome::{Failure, Outcome, chain};
use super::{Access, BuildError, Frames, KEEP_ALIVE, KEEP_ALIVE_TIMEOUT, USER_AGENT};
use super::{answer, endpoint, response};
use crate::config::spec::OtlpClientSpec;
use crate::data::Signal;

/// Flag and length before each message (gRPC over HTTP/2, Length-Prefixed-Message).
const PREFIX: usize = 5;
/// A client of one OTLP/gRPC endpoint, with one connection.
#[derive(Debug)]
pub struct OtlpGrpc {
    channel: Channel,
    access: Access,
    headers: HeaderMap,
    packer: Packer,
    timeout: Duration,
}

impl OtlpGrpc {
    /// Checks the settings; connects at the first attempt.
    pub fn build(spec: &OtlpClientSpec, access: &Access) -> Result<Self, BuildError> {
        let uri = endpoint::parse(&spec.endpoint)?;
        let plain = endpoint::without_tls(&uri)?;
        let peer = Endpoint::from(plain)
            .origin(uri.clone())
            .user_agent(USER_AGENT)
            .map_err(|error| endpoint::refused(&spec.endpoint, chain(&error)))?
            .connect_timeout(spec.timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        let mut headers = endpoint::headers(&spec.headers)?;
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-timeout", timeout_header(spec.timeout));
        let channel = peer.connect_with_connector_lazy(access.connector(spec.timeout).towards(uri));
        Ok(OtlpGrpc {
            channel,
            access: access.clone(),
            headers,
            packer: access.packer(&spec.compression),
            timeout: spec.timeout,
        })
    }

    /// Frames the merged request: concatenated requests are one (protobuf, "Last One Wins" and repeated fields).
    pub async fn prepare(&self, requests: &[Bytes]) -> Result<Frames, Failure> {
        let packed = self.packer.pack(PREFIX, requests).await;
        match packed.map_err(|error| Failure::permanent(format!("compressing failed: {error}")))? {
            Some(Packed { mut bytes, codec }) => {
                let head = prefix(1, bytes.len() - PREFIX)?;
                if let Some(room) = bytes.first_chunk_mut() {
                    *room = head;
                }
                Ok(Frames::packed(bytes.into(), codec, self.packer.may_change().then_some(requests)))
            }
            None => plain(requests),
        }
    }

    /// One call, within the timeout; two, if the peer refuses a credential that can be had anew.
    pub async fn attempt(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        self.access.attempt(|pass| self.call_in_time(signal, frames, pass)).await
    }

    async fn call_in_time(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        match tokio::time::timeout(self.timeout, self.call(signal, frames, pass)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::unanswered(format!("no answer within {:?}", self.timeout)).into()),
        }
    }

    /// One call; two, if it may be the compression that the peer refuses, and the choice of it is ours.
    async fn call(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        let result = self.send(signal, frames, pass.clone()).await;
        match (result, frames.instead()) {
            (Err(Setback::Unread(_)), Some((codec, requests))) => {
                let outcome = self.send(signal, &plain(requests)?, pass).await?;
                self.packer.refused(codec);
                Ok(outcome)
            }
            (result, _) => result,
        }
    }

    async fn send(&self, signal: Signal, frames: &Frames, pass: Option<Pass>) -> Result<Outcome, Setback> {
        let mut request = Request::new(Body::new(frames.body()));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(signal.grpc_path());
        *request.headers_mut() = self.headers.clone();
        if let Some(name) = frames.codec().and_then(|codec| codec.compression.encoding()) {
            request.headers_mut().insert("grpc-encoding", HeaderValue::from_static(name));
        }
        if let Some(pass) = pass {
            request.headers_mut().insert(AUTHORIZATION, pass.header);
        }
        let answer = self.channel.clone().oneshot(request).await;
        let (head, body) = answer.map_err(|error| Failure::unanswered(chain(&error)))?.into_parts();
        if let Some(status) = GrpcStatus::read(&head.headers) {
            return judged(&status).map(|()| Outcome::default());
        }
        if !head.status.is_success() {
            judged(&GrpcStatus::of_http(head.status))?;
        }
        let (bytes, trailers) = response::read(body).await?;
        match GrpcStatus::read(&trailers) {
            Some(status) => judged(&status)?,
            None => return Err(Failure::unanswered("the answer ended without a status").into()),
        }
        // No encoding was offered, so a compressed answer (flag 1) is not read.
        let message = bytes.split_first_chunk::<PREFIX>().filter(|(head, _)| head.first() == Some(&0));
        Ok(answer::from_protobuf(message.map_or(&[], |(_, message)| message)))
    }
}

/// The merged request as it is: concatenated requests are one (protobuf, "Last One Wins" and repeated fields).
fn plain(requests: &[Bytes]) -> Result<Frames, Failure> {
    Ok(Frames::headed(&prefix(0, requests.iter().map(Bytes::len).sum())?, requests))
}

/// What a status means, and whether it is about the credential or may be about the compression.
fn judged(status: &GrpcStatus) -> Result<(), Setback> {
    status.verdict().map_err(|failure| match status.code {
        Code::Unauthenticated | Code::PermissionDenied => Setback::Unwelcome(failure),
        // A service that is not there answers the same (gRPC, Compression).
        Code::Unimplemented => Setback::Unread(failure),
        _ => Setback::Other(failure),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::testing::client;

    #[tokio::test]
    async fn a_request_goes_out_without_a_copy() {
        let exporter = OtlpGrpc::build(&client("http://127.0.0.1:4317"), &Access::default()).unwrap();
        let request = Bytes::from(vec![7; 50_000]);
        let frames = exporter.prepare(&[request.clone(), request.clone()]).await.unwrap();
        let [head, first, second] = frames.chunks() else { panic!("{} chunks", frames.chunks().len()) };
        assert_eq!(head.as_ref(), [0, 0, 1, 0x86, 0xa0]);
        assert_eq!((first.as_ptr(), second.as_ptr()), (request.as_ptr(), request.as_ptr()));
    }

    #[test]
    fn the_timeout_has_at_most_eight_digits() {
        assert_eq!(timeout_header(Duration::from_secs(10)), "10000m");
        assert_eq!(timeout_header(Duration::from_micros(1)), "1m");
        assert_eq!(timeout_header(Duration::from_secs(1_000_000)), "1000000S");
        assert_eq!(timeout_header(Duration::MAX), "99999999S");
    }
}
