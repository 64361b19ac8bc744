//! A backend: a real gRPC server that keeps the bytes that it is sent, and answers as a test says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};
use tower::service_fn;

use crate::client::Raw;
use crate::harness::wait_for;

/// What the backend does with a call.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Takes it; these bytes are the response.
    Takes(Bytes),
    /// Refuses it.
    Refuses(Status),
    /// Takes it, but does not answer before the mood changes.
    Hesitates,
    /// Neither takes it nor answers, whatever its mood becomes.
    Hangs,
}

impl Mood {
    /// Takes everything.
    pub const fn content() -> Mood {
        Mood::Takes(Bytes::new())
    }
}

/// A backend; gone when it is dropped.
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    mood: watch::Sender<Mood>,
    taken: Arc<Mutex<Vec<Bytes>>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// A backend on any port.
    pub async fn start(mood: Mood) -> Peer {
        Peer::start_on("127.0.0.1:0", mood).await
    }

    /// A backend that does not know zstd.
    pub async fn start_without_zstd(mood: Mood) -> Peer {
        Peer::start_knowing("127.0.0.1:0", mood, &[CompressionEncoding::Gzip]).await
    }

    /// A backend on an address.
    pub async fn start_on(address: &str, mood: Mood) -> Peer {
        Peer::start_knowing(address, mood, &[CompressionEncoding::Gzip, CompressionEncoding::Zstd]).await
    }

    async fn start_knowing(address: &str, mood: Mood, encodings: &'static [CompressionEncoding]) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (mood, moods) = watch::channel(mood);
        let memory = Arc::clone(&taken);
        let service = service_fn(move |request: http::Request<tonic::body::Body>| {
            let (memory, moods) = (Arc::clone(&memory), moods.clone());
            async move { Ok::<_, std::convert::Infallible>(serve(request, memory, moods, encodings).await) }
        });
        let task = tokio::spawn(async move {
            let server = tonic::transport::Server::builder();
            { server }.serve_with_incoming(service, TcpListenerStream::new(listener)).await.unwrap();
        });
        Peer { address, mood, taken, task }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes its mind.
    pub fn becomes(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The requests that it took, as they came.
    pub fn taken(&self) -> Vec<Bytes> {
        self.taken.lock().unwrap().clone()
    }

    /// The names of the spans that it took, in order.
    pub fn span_names(&self) -> Vec<String> {
        self.taken().iter().flat_map(|request| span_names(request)).collect()
    }

    /// Waits until it took so many spans; the answer are their names. More than those, or one twice, is a failure.
    pub fn wait_for_spans(&self, count: usize) -> BTreeSet<String> {
        let names = || Some(self.span_names()).filter(|names| names.len() >= count);
        let names = wait_for(&format!("{count} spans"), names, || format!("{:?}", self.span_names()));
        let distinct: BTreeSet<String> = names.iter().cloned().collect();
        assert_eq!((names.len(), distinct.len()), (count, count), "{names:?}");
        distinct
    }
}

async fn serve(
    request: http::Request<tonic::body::Body>,
    memory: Arc<Mutex<Vec<Bytes>>>,
    moods: watch::Receiver<Mood>,
    encodings: &[CompressionEncoding],
) -> http::Response<tonic::body::Body> {
    let unary = service_fn(move |message: Request<Bytes>| {
        let (memory, mut moods) = (Arc::clone(&memory), moods.clone());
        async move {
            let mood = moods.borrow().clone();
            match mood {
                Mood::Refuses(status) => return Err(status),
                Mood::Takes(answer) => {
                    memory.lock().unwrap().push(message.into_inner());
                    return Ok(Response::new(answer));
                }
                Mood::Hangs => return std::future::pending().await,
                Mood::Hesitates => {}
            }
            memory.lock().unwrap().push(message.into_inner());
            let changed = moods.wait_for(|mood| !matches!(mood, Mood::Hesitates)).await.unwrap().clone();
            match changed {
                Mood::Takes(answer) => Ok(Response::new(answer)),
                _ => Err(Status::unavailable("it was not to be")),
            }
        }
    });
    let server = tonic::server::Grpc::new(Raw).max_decoding_message_size(usize::MAX);
    let mut server = encodings.iter().fold(server, |server, encoding| server.accept_compressed(*encoding));
    server.unary(unary, request).await
}

/// The names of the spans in an encoded request.
pub fn span_names(request: &[u8]) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).map(|span| span.name).collect()
}
