//! The floor of the comparison: a proxy that only moves the bytes. tonic in, tonic out, nothing in between: no check,
//! no queue, no batching; a client hears OK when the backend said so. What a pipeline costs above it is its own work.
//!
//!     floor LISTEN BACKEND        floor 127.0.0.1:4317 http://127.0.0.1:14317

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes};
use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Connections to the backend.
const CONNECTIONS: usize = 4;
/// Bytes of the largest message.
const MESSAGE_MAX: usize = 64 << 20;
/// Bytes that tonic buffers for one message.
const BUFFER: usize = 64 << 10;
/// Bytes that a sender may be ahead, for a stream and for a connection.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

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

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}

/// Connections to the backend, in turn.
#[derive(Clone)]
struct Backend {
    channels: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
}

impl Backend {
    fn connect(url: &str) -> Result<Backend, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(url.to_owned())?
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1);
        let channels = (0..CONNECTIONS).map(|_| endpoint.connect_lazy()).collect();
        Ok(Backend { channels, next: Arc::default() })
    }

    async fn forward(self, path: PathAndQuery, message: Bytes) -> Result<tonic::Response<Bytes>, Status> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let channel = self.channels.get(turn).ok_or_else(|| Status::internal("no connection"))?.clone();
        let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(MESSAGE_MAX);
        client.ready().await.map_err(|error| Status::new(Code::Unavailable, error.to_string()))?;
        client.unary(tonic::Request::new(message), path, Raw).await
    }
}

/// One call, whatever its path.
struct Forward(Backend, PathAndQuery);

impl UnaryService<Bytes> for Forward {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        Box::pin(self.0.clone().forward(self.1.clone(), request.into_inner()))
    }
}

/// Answers one request.
async fn answer(backend: Backend, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let mut grpc = Grpc::new(Raw).max_decoding_message_size(MESSAGE_MAX);
    Ok(grpc.unary(Forward(backend, path), request).await)
}

/// Serves one connection to its end.
async fn serve(backend: Backend, stream: TcpStream) {
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.initial_stream_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
    let service = service_fn(move |request| answer(backend.clone(), request));
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        eprintln!("a connection ended: {error}");
    }
}

fn arguments() -> Result<(std::net::SocketAddr, String), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(listen), Some(backend)) => Ok((listen.parse()?, backend)),
        _ => Err("usage: floor LISTEN BACKEND, as in floor 127.0.0.1:4317 http://127.0.0.1:14317".into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (listen, backend) = arguments()?;
    let backend = Backend::connect(&backend)?;
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(backend.clone(), stream));
    }
}
