//! One connection on its shard, from its first byte to its end.

use std::convert::Infallible;
use std::error::Error as _;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream as Plain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;

use super::ahead::Ahead;
use super::answer::Reply;
use super::counted::Counted;
use super::gated;
use super::meter::Limit;
use super::server::{Phase, Shared};
use super::slots::Slot;
use super::wiring::{Protocol, Wiring};
use crate::config::spec::TimeoutsSpec;
use crate::gate::HandshakeError;
use crate::supervise::fault_point;

/// An error of any layer below.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Flow control of HTTP/2: what one request, and all of a connection, may send ahead of us. Smaller windows make a
/// sender wait for the network once for every so many bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The largest frame: a larger one saves work for each, but is buffered whole.
const FRAME_MAX: u32 = 128 << 10;

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
    pub peer: SocketAddr,
}

impl Connection {
    /// Serves the connection to its end.
    pub async fn serve(self, stream: TcpStream) -> Result<(), Error> {
        fault_point("connection");
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let wiring = self.shared.wiring.load_full();
        let start = Instant::now();
        if !wiring.gate.speaks_tls() {
            return self.converse(Ahead::new(stream), wiring, start).await;
        }
        match self.shake_hands(stream, &wiring, start).await {
            Some(stream) => self.converse(stream, wiring, start).await,
            None => Ok(()),
        }
    }

    /// TLS, within the time that a client has for its first request. None: it came to nothing, which was told, or the
    /// listener ends.
    async fn shake_hands(&self, stream: Plain, wiring: &Wiring, start: Instant) -> Option<TlsStream<Plain>> {
        let mut phase = self.phase.clone();
        let patience = wiring.timeouts.head;
        tokio::select! {
            biased;
            shaken = wiring.gate.shake_hands(stream, self.peer) => shaken.ok(),
            () = sleep_until(start + patience) => {
                wiring.meter.limited(Limit::Head);
                wiring.gate.note_handshake(self.peer, &HandshakeError::Timeout(patience));
                None
            }
            _ = phase.wait_for(|phase| *phase >= Phase::Draining) => None,
        }
    }

    /// Serves requests on an open stream.
    async fn converse<S>(self, stream: S, wiring: Arc<Wiring>, start: Instant) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Connection { shared, shard, mut phase, slot: _slot, peer } = self;
        let (stream, received) = Counted::new(stream);
        let builder = builder(&wiring);
        let transport = wiring.gate.transport();
        let mut transports = shared.transport.subscribe();
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            // In a box, because what is above moves it a dozen times, and it has some kilobytes.
            Box::pin(async move {
                let answer = answer(shared.wiring.load_full(), shard, peer, request);
                shared.panics.noted("answer a request", answer).await
            })
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));

        let age = match &wiring.protocol {
            Protocol::Grpc(spec) => spec.max_connection_age,
            Protocol::Http { .. } => None,
        };
        // The first of: its end, no sign of life, old age, another TLS than it began with, the drain.
        let mut silent = pin!(async {
            sleep_until(start + wiring.timeouts.head).await;
            if received.bytes() >= PREFACE {
                std::future::pending::<()>().await;
            }
        });
        let mut old = pin!(at(age.and_then(|age| start.checked_add(age))));
        let mut outdated = pin!(transports.wait_for(|now| *now != transport));
        let mut draining = phase.clone();
        let mut draining = pin!(draining.wait_for(|phase| *phase >= Phase::Draining));
        tokio::select! {
            biased;
            ended = connection.as_mut() => return counted(ended, &wiring),
            () = &mut silent => {
                wiring.meter.limited(Limit::Head);
                return Ok(());
            }
            () = &mut old => {}
            _ = &mut outdated => {}
            _ = &mut draining => {}
        }
        connection.as_mut().graceful_shutdown();
        let grace = age.and_then(|age| start.checked_add(age + AGE_GRACE));
        tokio::select! {
            biased;
            ended = connection.as_mut() => counted(ended, &wiring),
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

/// Counts the limit that ended a connection.
fn counted(ended: Result<(), Error>, wiring: &Wiring) -> Result<(), Error> {
    let limit = ended.as_ref().err().and_then(|error| limit(error.as_ref()));
    limit.into_iter().for_each(|limit| wiring.meter.limited(limit));
    ended
}

/// The limit that an error of a connection means.
fn limit(error: &(dyn std::error::Error + 'static)) -> Option<Limit> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_parse_too_large() {
        return Some(Limit::Headers);
    }
    // HTTP/1.1 says so itself; the cause of HTTP/2 is a ping that was not answered.
    if error.is_timeout() {
        return Some(if error.source().is_some() { Limit::KeepAlive } else { Limit::Head });
    }
    let h2 = error.source()?.downcast_ref::<h2::Error>()?;
    (h2.is_go_away() && h2.is_library() && h2.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)).then_some(Limit::Flood)
}

async fn answer(
    wiring: Arc<Wiring>,
    shard: usize,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    fault_point("request");
    Ok(gated::answer(&wiring, shard, peer, request).await)
}

fn builder(wiring: &Wiring) -> Builder<TokioExecutor> {
    let TimeoutsSpec { head, keep_alive_interval, keep_alive, .. } = wiring.timeouts;
    let limits = wiring.limits();
    let mut builder = Builder::new(TokioExecutor::new());
    let streams = match &wiring.protocol {
        Protocol::Grpc(spec) => spec.max_concurrent_streams,
        Protocol::Http { spec, .. } => spec.max_concurrent_streams,
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
        .max_pending_accept_reset_streams(limits.max_pending_resets)
        .max_header_list_size(limits.max_header_bytes)
        .keep_alive_interval(keep_alive_interval)
        .keep_alive_timeout(keep_alive);
    match wiring.protocol {
        Protocol::Grpc(_) => builder.http2_only(),
        Protocol::Http { .. } => builder,
    }
}
