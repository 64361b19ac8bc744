//! A server for tests: HTTP/1.1, HTTP/2 and gRPC, in the clear or under TLS that can be changed while it runs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::harness::wait_for;
use crate::peer::span_names;

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    /// Of gRPC, the message alone.
    pub body: Bytes,
    /// What the client showed.
    pub client: Option<CertificateDer<'static>>,
}

impl Seen {
    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn is_grpc(&self) -> bool {
        self.header("content-type").starts_with("application/grpc")
    }
}

/// What it answers: OTLP in the form of the question, or JSON.
pub enum Reply {
    /// The records are taken.
    Taken,
    /// The credential is refused.
    Unauthenticated(String),
    /// A status and a JSON body.
    Json(u16, String),
}

/// A server; gone when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    door: Arc<Mutex<Option<Arc<ServerConfig>>>>,
    seen: Arc<Mutex<Vec<(Seen, bool)>>>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        self.hang_up();
    }
}

type Answers = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

impl Server {
    /// A server on any port that answers so; without a door, in the clear.
    pub async fn start(door: Option<ServerConfig>, answers: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Arc::new(Mutex::new(door.map(Arc::new)));
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let answers: Answers = Arc::new(answers);
        let (doors, memory, open) = (Arc::clone(&door), Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let door = doors.lock().unwrap().clone();
                let connection = tokio::spawn(open_door(stream, door, Arc::clone(&memory), Arc::clone(&answers)));
                open.lock().unwrap().push(connection.abort_handle());
            }
        });
        Server { address, door, seen, connections, task }
    }

    /// Takes everything.
    pub async fn content(door: Option<ServerConfig>) -> Server {
        Server::start(door, |_| Reply::Taken).await
    }

    /// `https://localhost:port`, or with `http` if it has no door.
    pub fn url(&self) -> String {
        let scheme = if self.door.lock().unwrap().is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// Ends every connection, and meets new ones with another door.
    pub fn change_door(&self, door: Option<ServerConfig>) {
        *self.door.lock().unwrap() = door.map(Arc::new);
        self.hang_up();
    }

    /// Ends every connection.
    pub fn hang_up(&self) {
        self.connections.lock().unwrap().drain(..).for_each(|connection| connection.abort());
    }

    /// Everything that it was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().map(|(seen, _)| seen.clone()).collect()
    }

    /// What it was asked and took.
    pub fn taken(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|(_, taken)| *taken).map(|(seen, _)| seen.clone()).collect()
    }

    /// The names of the spans that it took, in order.
    pub fn span_names(&self) -> Vec<String> {
        self.taken().iter().flat_map(|seen| span_names(&seen.body)).collect()
    }

    /// Waits until it took so many spans; the answer is their names.
    pub fn wait_for_spans(&self, count: usize) -> Vec<String> {
        let names = || Some(self.span_names()).filter(|names| names.len() >= count);
        wait_for(&format!("{count} spans"), names, || format!("{:?}", self.span_names()))
    }

    /// Waits until it was asked so often.
    pub fn wait_for_requests(&self, count: usize) -> Vec<Seen> {
        let seen = || Some(self.seen()).filter(|seen| seen.len() >= count);
        wait_for(&format!("{count} requests"), seen, || format!("{}", self.seen().len()))
    }
}

type Memory = Arc<Mutex<Vec<(Seen, bool)>>>;

async fn open_door(stream: TcpStream, door: Option<Arc<ServerConfig>>, memory: Memory, answers: Answers) {
    let Some(door) = door else { return serve(stream, None, memory, answers).await };
    // What is wrong is for the client to tell.
    let Ok(stream) = TlsAcceptor::from(door).accept(stream).await else { return };
    let client = stream.get_ref().1.peer_certificates().and_then(|all| all.first()).map(|own| own.clone().into_owned());
    serve(stream, client, memory, answers).await;
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Option<CertificateDer<'static>>,
    memory: Memory,
    answers: Answers,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (client, memory, answers) = (client.clone(), Arc::clone(&memory), Arc::clone(&answers));
        async move {
            let (head, body) = request.into_parts();
            let mut body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let is_grpc = head.headers.get("content-type").is_some_and(|value| value.as_bytes().ends_with(b"/grpc"));
            if is_grpc {
                body = body.slice(5..);
            }
            let seen = Seen { path: head.uri.path().to_owned(), headers: head.headers, body, client };
            let reply = answers(&seen);
            let answer = answer(&seen, &reply);
            memory.lock().unwrap().push((seen, matches!(reply, Reply::Taken)));
            Ok::<_, Infallible>(answer)
        }
    });
    // A client that goes away is no concern.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn answer(seen: &Seen, reply: &Reply) -> Response<BoxBody<Bytes, Infallible>> {
    let plain = |status: u16, kind: &str, body: Bytes| {
        Response::builder().status(status).header("content-type", kind).body(Full::new(body).boxed()).unwrap()
    };
    match (reply, seen.is_grpc()) {
        (Reply::Taken, true) => {
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
            let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async { Some(Ok(trailers)) });
            Response::builder().header("content-type", "application/grpc").body(body.boxed()).unwrap()
        }
        (Reply::Unauthenticated(words), true) => {
            let mut answer = plain(200, "application/grpc", Bytes::new());
            answer.headers_mut().insert("grpc-status", HeaderValue::from_static("16"));
            answer.headers_mut().insert("grpc-message", HeaderValue::from_str(words).unwrap());
            answer
        }
        (Reply::Taken, false) => plain(200, "application/x-protobuf", Bytes::new()),
        (Reply::Unauthenticated(words), false) => {
            plain(401, "application/json", serde_json::json!({ "message": words }).to_string().into())
        }
        (Reply::Json(status, body), _) => plain(*status, "application/json", Bytes::from(body.clone())),
    }
}
