//! hyper's client: what the SDKs would never send.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Bench, soon};
use crate::data::Signal;

/// A client of one protocol version.
#[derive(Clone)]
pub struct Raw {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

/// What came back.
pub struct Back {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Back {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `grpc-status`, wherever it is.
    pub fn grpc_status(&self) -> &str {
        let status = self.headers.get("grpc-status").or_else(|| self.trailers.get("grpc-status"));
        status.map_or("", |value| value.to_str().unwrap())
    }
}

impl Raw {
    pub fn http1(bench: &Bench) -> Raw {
        Raw { client: Client::builder(TokioExecutor::new()).build_http(), url: bench.url() }
    }

    pub fn http2(bench: &Bench) -> Raw {
        Raw { client: Client::builder(TokioExecutor::new()).http2_only(true).build_http(), url: bench.url() }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&'static str, &str)], body: Vec<u8>) -> Back {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).unwrap());
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response: Response<_> = soon(self.client.request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        let collected = soon(body.collect()).await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Back { status: head.status, headers: head.headers, body: collected.to_bytes(), trailers }
    }

    /// A call of the trace service.
    pub async fn call(&self, headers: &[(&'static str, &str)], body: Vec<u8>) -> Back {
        let headers = [&[("content-type", "application/grpc"), ("te", "trailers")], headers].concat();
        self.send("POST", Signal::Traces.grpc_path(), &headers, body).await
    }
}

/// A message with its prefix.
pub fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}
