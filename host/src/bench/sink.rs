//! The sink: an OTLP server that counts what it is sent and keeps nothing.
//!
//! One address takes gRPC and HTTP alike: what speaks HTTP/2 with the content type of gRPC is gRPC. A body is read,
//! stepped over to count its records, and dropped. It can be slow, and refuse a share of the requests, on demand.

mod answer;
mod counts;
mod request;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

pub use self::answer::Refusal;
pub use self::counts::{Counts, SinkReport};

use self::counts::Counters;
use super::is_of_share;
use crate::shard::Shards;

/// Connections of all listeners together; more wait in the kernel.
const CONNECTIONS_MAX: usize = 4096;

/// HTTP/2: what one request, and all of a connection, may send ahead of us, and how large a frame may be. Large, so
/// that the sink is never what a sender waits for.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const FRAME_MAX: u32 = 256 << 10;
const STREAMS_MAX: u32 = 1024;

/// How long connections may take to end when the sink does.
const ENDING: Duration = Duration::from_secs(1);

/// What a sink does.
#[derive(Clone, Debug)]
pub struct SinkPlan {
    /// Where it listens; port 0 is any.
    pub listen: Vec<SocketAddr>,
    /// How long it waits before it answers.
    pub latency: Duration,
    /// The share of requests that it refuses.
    pub fail: f64,
    /// How it refuses them.
    pub refusal: Refusal,
    /// Whether records are counted, for which bodies are decompressed and stepped over.
    pub count_records: bool,
    /// The largest body that it takes, in bytes, before and after decompression.
    pub body_bytes_max: usize,
    /// Threads that serve.
    pub threads: NonZeroUsize,
}

/// The sink could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}; name another with --listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What is wrong.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start a thread")]
    Threads(#[source] io::Error),
}

/// A sink at work.
pub struct Sink {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    shards: Shards,
    shared: Arc<Shared>,
    ended: watch::Sender<bool>,
    started: Instant,
}

struct Shared {
    plan: SinkPlan,
    /// One for each shard, so that threads do not contend.
    counters: Vec<Counters>,
    /// Requests of all shards, for the share that is refused.
    requests: AtomicU64,
    slots: Arc<Semaphore>,
}

impl Sink {
    /// Listens.
    pub async fn start(plan: SinkPlan) -> Result<Sink, SinkError> {
        let mut listeners = Vec::new();
        for &address in &plan.listen {
            let bind = |source| SinkError::Bind { address, source };
            let listener = std::net::TcpListener::bind(address).map_err(bind)?;
            listener.set_nonblocking(true).map_err(bind)?;
            listeners.push((listener.local_addr().map_err(bind)?, listener));
        }
        let shards = Shards::start(plan.threads).map_err(SinkError::Threads)?;
        let counters = (0..shards.len()).map(|_| Counters::default()).collect();
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let shared = Arc::new(Shared { plan, counters, requests: AtomicU64::new(0), slots });
        let (ended, ends) = watch::channel(false);
        let mut addresses = Vec::new();
        for (index, (address, listener)) in listeners.into_iter().enumerate() {
            let dealer = Dealer { shared: Arc::clone(&shared), shards: shards.clone(), ends: ends.clone() };
            drop(shards.spawn_on(index, "accept connections", dealer.run(listener)));
            addresses.push(address);
        }
        Ok(Sink { addresses, shards, shared, ended, started: Instant::now() })
    }

    /// What it was sent so far.
    pub fn report(&self) -> SinkReport {
        let mut counts = Counts::default();
        self.shared.counters.iter().for_each(|counters| counts.add(counters.read()));
        let connections = CONNECTIONS_MAX - self.shared.slots.available_permits();
        SinkReport { seconds: self.started.elapsed().as_secs_f64(), connections, counts, rates: None }
    }

    /// Closes everything; what was counted in the end.
    pub async fn stop(self) -> SinkReport {
        self.ended.send_replace(true);
        self.shards.shutdown(Instant::now() + ENDING).await;
        self.report()
    }
}

/// Accepts connections and deals them to the threads in turn.
struct Dealer {
    shared: Arc<Shared>,
    shards: Shards,
    ends: watch::Receiver<bool>,
}

impl Dealer {
    async fn run(self, listener: std::net::TcpListener) {
        let mut ends = self.ends.clone();
        tokio::select! {
            // An error means that the sink was dropped.
            _ = ends.wait_for(|ended| *ended) => {}
            () = self.accept(listener) => {}
        }
    }

    async fn accept(&self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot accept connections"),
        };
        for shard in (0..self.shards.len()).cycle() {
            let accepted = listener.accept().await.and_then(|(stream, _)| {
                stream.set_nodelay(true)?;
                stream.into_std()
            });
            match accepted {
                Ok(stream) => {
                    // The semaphore is never closed.
                    let Ok(slot) = Arc::clone(&self.shared.slots).acquire_owned().await else { return };
                    let (shared, ends) = (Arc::clone(&self.shared), self.ends.clone());
                    drop(self.shards.spawn_on(shard, "serve a connection", async move {
                        let _slot = slot;
                        serve(shared, shard, stream, ends).await;
                    }));
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection, trying again");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, shard: usize, stream: std::net::TcpStream, mut ends: watch::Receiver<bool>) {
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_MAX)
        .max_concurrent_streams(STREAMS_MAX);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(shared.answer(shard, request).await) }
    });
    tokio::select! {
        ended = builder.serve_connection(TokioIo::new(stream), service) => {
            if let Err(error) = ended {
                tracing::debug!(error = %error, "connection ended");
            }
        }
        _ = ends.wait_for(|ended| *ended) => {}
    }
}

impl Shared {
    async fn answer(&self, shard: usize, request: Request<Incoming>) -> answer::Response {
        let read = request::read(request, &self.plan).await;
        if !self.plan.latency.is_zero() {
            tokio::time::sleep(self.plan.latency).await;
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let refused = is_of_share(number, self.plan.fail);
        if let Some(counters) = self.counters.get(shard) {
            counters.note(&read, refused);
        }
        match &read.malformed {
            Some(why) => answer::malformed(read.kind, why),
            None if refused => self.plan.refusal.answer(read.kind),
            None => answer::accepted(read.kind),
        }
    }
}
