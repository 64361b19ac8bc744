//! A backend that speaks HTTP/1.1 and HTTP/2, answers as a test says, and keeps what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What every request is answered with.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Bytes,
}

/// A request that came.
#[derive(Clone)]
pub struct Seen {
    pub version: Version,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The backend; gone when it is dropped.
pub struct HttpBackend {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    reply: Mutex<Reply>,
    seen: Mutex<Vec<Seen>>,
}

impl HttpBackend {
    /// A backend on any port, with TLS if there is an acceptor. It answers 200.
    pub async fn start(tls: Option<TlsAcceptor>) -> HttpBackend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reply = Mutex::new(Reply { status: 200, ..Reply::default() });
        let shared = Arc::new(Shared { reply, seen: Mutex::default() });
        let (memory, mut tasks) = (Arc::clone(&shared), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, tls) = (Arc::clone(&memory), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, memory).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, memory).await;
                            }
                        }
                    }
                });
            }
        });
        HttpBackend { address, shared, _tasks: tasks }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Bytes>) {
        *self.shared.reply.lock().unwrap() = Reply { status, headers: headers.to_vec(), body: body.into() };
    }

    /// Everything that it was sent.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let (version, path) = (head.version, head.uri.path().to_owned());
            shared.seen.lock().unwrap().push(Seen { version, path, headers: head.headers, body });
            let reply = shared.reply.lock().unwrap().clone();
            let mut response = http::Response::builder().status(reply.status);
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            Ok::<_, hyper::Error>(response.body(Full::new(reply.body)).unwrap())
        }
    });
    // A connection that the exporter closes early is no failure of the test.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}
