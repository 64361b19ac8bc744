//! One connection on its shard, from its first byte to its end.

use std::convert::Infallible;
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::answer::Reply;
use super::counted::Counted;
use super::server::{Phase, Shared};
use super::wiring::{Patience, Protocol, Wiring};
use super::{grpc, http as otlp_http};

/// Held by a connection as long as it is open.
pub(super) type Slot = OwnedSemaphorePermit;

/// An error of any layer below.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Flow control of HTTP/2: what one request, and all of a connection, may send ahead of us. Smaller windows make a
/// sender wait for the network once for every so many bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The largest frame: a larger one saves work for each, but is buffered whole.
const FRAME_MAX: u32 = 128 << 10;

/// Streams that a client opened and reset before they were looked at (rapid reset, CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 64;

/// Streams that may be open on a connection of OTLP/HTTP over HTTP/2. That of gRPC is configured.
const HTTP_STREAMS_MAX: u32 = 128;

/// Bytes of a request's headers.
const HEADERS_MAX: u32 = 32 << 10;

/// By so many bytes hyper knows the version, and its own timers watch over the connection.
const PREFACE: u64 = 24;

/// How long after an age limit requests may still finish.
const AGE_GRACE: Duration = Duration::from_secs(60);

/// An accepted connection, about to be served.
pub(super) struct Connection {
    pub shared: Arc<Shared>,
    pub shard: usize,
    pub phase: watch::Receiver<Phase>,
    pub slot: Slot,
}

impl Connection {
    /// Serves the connection to its end.
    pub async fn serve(self, stream: TcpStream) -> Result<(), Error> {
        let Connection { shared, shard, mut phase, slot: _slot } = self;
        let wiring = shared.wiring.load_full();
        let (stream, received) = Counted::new(tokio::net::TcpStream::from_std(stream)?);
        let builder = builder(&wiring);
        let service = service_fn(move |request| answer(shared.wiring.load_full(), shard, request));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));

        let start = Instant::now();
        let age = match &wiring.protocol {
            Protocol::Grpc(spec) => spec.max_connection_age,
            Protocol::Http { .. } => None,
        };
        // The first of: its end, no sign of life, old age, the drain.
        let mut silent = pin!(async {
            sleep_until(start + wiring.patience.head).await;
            if received.bytes() >= PREFACE {
                std::future::pending::<()>().await;
            }
        });
        let mut old = pin!(at(age.and_then(|age| start.checked_add(age))));
        let mut draining = phase.clone();
        let mut draining = pin!(draining.wait_for(|phase| *phase >= Phase::Draining));
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = &mut silent => return Ok(()),
            () = &mut old => {}
            _ = &mut draining => {}
        }
        connection.as_mut().graceful_shutdown();
        let grace = age.and_then(|age| start.checked_add(age + AGE_GRACE));
        tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = at(grace) => Ok(()),
            _ = phase.wait_for(|phase| *phase >= Phase::Closed) => Ok(()),
        }
    }
}

/// Sleeps until an instant, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn answer(wiring: Arc<Wiring>, shard: usize, request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
    Ok(match &wiring.protocol {
        Protocol::Grpc(spec) => grpc::answer(&wiring, spec.limits.max_request_bytes, shard, request).await,
        Protocol::Http { spec, paths } => otlp_http::answer(&wiring, spec, paths, shard, request).await,
    })
}

fn builder(wiring: &Wiring) -> Builder<TokioExecutor> {
    let Patience { head, ping, pong, .. } = wiring.patience;
    let mut builder = Builder::new(TokioExecutor::new());
    let streams = match &wiring.protocol {
        Protocol::Grpc(spec) => spec.max_concurrent_streams,
        Protocol::Http { .. } => HTTP_STREAMS_MAX,
    };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head).keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .adaptive_window(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_MAX)
        .max_concurrent_streams(streams)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX)
        .keep_alive_interval(ping)
        .keep_alive_timeout(pong);
    match wiring.protocol {
        Protocol::Grpc(_) => builder.http2_only(),
        Protocol::Http { .. } => builder,
    }
}
