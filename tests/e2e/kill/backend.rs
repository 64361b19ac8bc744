//! A backend that fails and comes back at random, and writes what it took into the ledger.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::chance::Chance;
use super::ledger::Ledger;
use crate::client::Raw;

/// What it does with requests at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Takes them.
    Fair,
    /// Refuses them: `UNAVAILABLE`.
    Down,
    /// Takes them and says that it did not: the answer got lost.
    Lossy,
    /// Takes them, and answers late.
    Slow,
}

/// The backend; gone when it is dropped.
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Backend {
    /// Starts it, with weather that changes every few milliseconds.
    pub async fn start(ledger: Ledger, mut chance: Chance) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let seen = weather.subscribe();
        let service = service_fn(move |request: http::Request<tonic::body::Body>| {
            let (ledger, seen) = (ledger.clone(), seen.clone());
            async move { Ok::<_, std::convert::Infallible>(serve(request, ledger, seen).await) }
        });
        let server = tokio::spawn(async move {
            let server = tonic::transport::Server::builder();
            { server }.serve_with_incoming(service, TcpListenerStream::new(listener)).await.unwrap();
        });
        let changes = Arc::clone(&weather);
        let weather_maker = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
                changes.send_replace(match chance.below(8) {
                    0..4 => Weather::Fair,
                    4..6 => Weather::Down,
                    6 => Weather::Lossy,
                    _ => Weather::Slow,
                });
            }
        });
        Backend { address, weather, tasks: vec![server, weather_maker] }
    }

    /// Takes everything from now on.
    pub async fn calm(&mut self) {
        if let Some(weather_maker) = self.tasks.pop() {
            weather_maker.abort();
            let _ = weather_maker.await;
        }
        self.weather.send_replace(Weather::Fair);
    }
}

async fn serve(
    request: http::Request<tonic::body::Body>,
    ledger: Ledger,
    weather: watch::Receiver<Weather>,
) -> http::Response<tonic::body::Body> {
    let unary = service_fn(move |message: Request<Bytes>| {
        let (ledger, weather) = (ledger.clone(), *weather.borrow());
        async move {
            if weather == Weather::Down {
                return Err(Status::unavailable("down"));
            }
            ledger.receive(&numbers(&message.into_inner()), weather != Weather::Lossy);
            match weather {
                Weather::Lossy => return Err(Status::unavailable("the answer got lost")),
                Weather::Slow => tokio::time::sleep(Duration::from_millis(15)).await,
                _ => {}
            }
            Ok(Response::new(Bytes::new()))
        }
    });
    tonic::server::Grpc::new(Raw).max_decoding_message_size(usize::MAX).unary(unary, request).await
}

/// The numbers of the spans of a request: their ids, less one, since an id is not zero.
fn numbers(request: &[u8]) -> Vec<u64> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let ids = scopes.flat_map(|scope| scope.spans).map(|span| <[u8; 8]>::try_from(span.span_id.as_slice()).unwrap());
    ids.map(|id| u64::from_be_bytes(id) - 1).collect()
}
