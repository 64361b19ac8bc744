//! Clients that send exactly what a test says, and show exactly what came back.

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use sluicebox::data::Signal;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::harness::Sluicebox;

/// Messages that stay bytes.
#[derive(Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// One gRPC connection to the receiver `otlp`.
#[derive(Clone)]
pub struct GrpcClient(Grpc<Channel>);

impl GrpcClient {
    /// Connects.
    pub async fn connect(to: &Sluicebox) -> GrpcClient {
        GrpcClient::connect_to(to, "otlp").await
    }

    /// Connects to a receiver with another id.
    pub async fn connect_to(to: &Sluicebox, receiver: &str) -> GrpcClient {
        let url = format!("http://{}", to.address(receiver, "grpc"));
        GrpcClient(Grpc::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap()))
    }

    /// Calls `Export`; the answer is the encoded response.
    pub async fn export(&self, signal: Signal, request: impl Into<Bytes>) -> Result<Bytes, Status> {
        call(self.0.clone(), signal, request.into()).await
    }

    /// The same; a connection that is gone is an answer, too.
    pub async fn try_export(&self, signal: Signal, request: impl Into<Bytes>) -> Result<Bytes, Status> {
        let mut client = self.0.clone();
        client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let path = PathAndQuery::from_static(signal.grpc_path());
        client.unary(Request::new(request.into()), path, Raw).await.map(tonic::Response::into_inner)
    }

    /// The same, compressed.
    pub async fn export_compressed(
        &self,
        signal: Signal,
        request: impl Into<Bytes>,
        compression: CompressionEncoding,
    ) -> Result<Bytes, Status> {
        call(self.0.clone().send_compressed(compression), signal, request.into()).await
    }
}

async fn call(mut client: Grpc<Channel>, signal: Signal, request: Bytes) -> Result<Bytes, Status> {
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static(signal.grpc_path());
    client.unary(Request::new(request), path, Raw).await.map(tonic::Response::into_inner)
}

/// The media type of encoded messages.
pub const PROTOBUF: &str = "application/x-protobuf";
/// The media type of OTLP/JSON.
pub const JSON: &str = "application/json";

/// What an HTTP server answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// A header's text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Posts a body to a path of the HTTP side of the receiver `otlp`.
pub async fn post(to: &Sluicebox, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let url = format!("http://{}{path}", to.address("otlp", "http"));
    let mut request = reqwest::Client::new().post(url).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap() }
}

/// Posts an encoded request of a signal.
pub async fn post_protobuf(to: &Sluicebox, signal: Signal, body: impl Into<Bytes>) -> Answer {
    post(to, signal.http_path(), &[("content-type", PROTOBUF)], body).await
}

/// Posts OTLP/JSON of a signal.
pub async fn post_json(to: &Sluicebox, signal: Signal, body: impl Into<Bytes>) -> Answer {
    post(to, signal.http_path(), &[("content-type", JSON)], body).await
}
