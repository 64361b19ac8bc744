//! Real servers for tests, on loopback: one speaks OTLP/gRPC (tonic), one OTLP/HTTP (hyper). Each answers as its
//! script says, and with success when the script is through, and keeps what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tower::service_fn;

use crate::config::spec::{Compression, OtlpClientSpec, SpreadSpec, TlsClientSpec};
use crate::data::{Payload, Signal};

/// What a gRPC peer does with one call.
pub enum Reply {
    /// Takes it; these bytes are its response message.
    Taken(Vec<u8>),
    /// Ends it with a status.
    Status(Status),
    /// Takes it and resets the stream before it has answered.
    Reset,
    /// Never answers.
    Hang,
}

/// What was sent to a peer.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Path of the request.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// gRPC: the message, decompressed. HTTP: the body, as it came.
    pub body: Bytes,
    /// When it came.
    pub at: tokio::time::Instant,
    /// HTTP: the connection that it came on, counted from 0.
    pub connection: usize,
}

/// A server, with its script and its memory.
pub struct Peer<R> {
    /// Its address as a URL.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
    script: PhantomData<R>,
}

impl<R> Drop for Peer<R> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<R> Peer<R> {
    /// Everything that it was sent.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Waits until it was sent `count` requests.
    pub async fn await_seen(&self, count: usize) -> Vec<Seen> {
        eventually(|| self.seen.lock().len() >= count).await;
        self.seen()
    }
}

/// Waits until a condition holds, at most a minute or so: a loaded machine is slow.
pub async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to pass");
}

/// Messages that stay bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
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
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

impl Peer<Reply> {
    /// A gRPC server on any port.
    pub async fn grpc(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Peer::grpc_on(listener, script)
    }

    /// A gRPC server on a listener.
    pub fn grpc_on(listener: TcpListener, script: impl IntoIterator<Item = Reply>) -> Self {
        Peer::grpc_as(tonic::transport::Server::builder(), listener, script)
    }

    /// A gRPC server with settings of its own, on a listener.
    pub fn grpc_as(
        server: tonic::transport::Server,
        listener: TcpListener,
        script: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let memory = seen.clone();
        let service =
            service_fn(move |request: Request<tonic::body::Body>| call(request, replies.clone(), memory.clone()));
        let task = tokio::spawn(async move {
            server.serve_with_incoming(service, TcpListenerStream::new(listener)).await.unwrap();
        });
        Peer { url, seen, task, script: PhantomData }
    }
}

async fn call(
    request: Request<tonic::body::Body>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    memory: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<tonic::body::Body>, io::Error> {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let reply = Arc::new(Mutex::new(None));
    let slot = reply.clone();
    let unary = service_fn(move |message: tonic::Request<Bytes>| {
        let seen = Seen {
            path: path.clone(),
            headers: headers.clone(),
            body: message.into_inner(),
            at: tokio::time::Instant::now(),
            connection: 0,
        };
        let reply = replies.lock().pop_front().unwrap_or(Reply::Taken(Vec::new()));
        memory.lock().push(seen);
        let slot = slot.clone();
        async move {
            match reply {
                Reply::Taken(answer) => Ok(tonic::Response::new(answer)),
                Reply::Status(status) => Err(status),
                Reply::Hang => std::future::pending().await,
                Reply::Reset => {
                    *slot.lock() = Some(());
                    Err(Status::internal("reset"))
                }
            }
        }
    });
    let mut grpc = tonic::server::Grpc::new(Raw)
        .max_decoding_message_size(usize::MAX)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd);
    let response = grpc.unary(unary, request).await;
    match reply.lock().take() {
        Some(()) => Err(io::Error::other("reset")),
        None => Ok(response),
    }
}

/// What an HTTP peer answers.
pub type HttpReply = Response<Full<Bytes>>;

/// An answer of a status, with headers and a body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> HttpReply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

impl Peer<HttpReply> {
    /// An HTTP server on any port.
    pub async fn http(script: impl IntoIterator<Item = HttpReply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let memory = seen.clone();
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (replies, memory) = (replies.clone(), memory.clone());
                let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (replies, memory) = (replies.clone(), memory.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                        let (path, at) = (head.uri.path().to_owned(), tokio::time::Instant::now());
                        let reply = replies.lock().pop_front().unwrap_or_else(|| answer(200, &[], Bytes::new()));
                        memory.lock().push(Seen { path, headers: head.headers, body, at, connection });
                        Ok::<_, Infallible>(reply)
                    }
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                let executor = hyper_util::rt::TokioExecutor::new();
                let server = hyper_util::server::conn::auto::Builder::new(executor);
                tokio::spawn(async move { server.serve_connection(io, service).await.map_err(drop) });
            }
        });
        Peer { url, seen, task, script: PhantomData }
    }
}

/// A client's settings with every default.
pub fn client(endpoint: &str) -> OtlpClientSpec {
    OtlpClientSpec {
        endpoint: endpoint.to_owned(),
        compression: Compression::None.into(),
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(60),
        tls: TlsClientSpec::default(),
        auth: None,
        max_in_flight: NonZeroUsize::new(4).unwrap(),
        spread: SpreadSpec::default(),
    }
}

/// A request with spans of these names.
pub fn spans(names: &[&str]) -> Payload {
    let span = |name: &&str| Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: (*name).to_owned(),
        start_time_unix_nano: 1_795_253_400_000_000_000,
        end_time_unix_nano: 1_795_253_400_003_200_000,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    Payload { signal: Signal::Traces, bytes: request.encode_to_vec().into(), records: names.len() as u64 }
}

/// The names of the spans in an encoded request.
pub fn names(request: &[u8]) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).map(|span| span.name).collect()
}
