//! The admin endpoint: `/metrics`, `/healthz`, `/readyz`, `/status` and `/audit` over HTTP, on loopback by default.
//!
//! Life: the topology keeps the [`Board`] true and [`Admin::start`] serves what stands on it. The endpoint comes up
//! before the receivers do, so that a slow start can be watched, and goes down after them. It owns its connections:
//! there are at most 64, none lives longer than ten minutes, and [`Admin::stop`] waits for the last answer.
//!
//! Before it stands a [`Gate`], open by default: then whoever reaches the port sees names of pipelines, plugins and
//! addresses, and of telemetry what `service.telemetry.audit` allows: by default ids and names of some dropped records.
//! `/healthz` and `/readyz` ask for no credential, because probes have none; with client certificates even probes need
//! one.

mod accounting;
mod board;
mod exposition;
#[cfg(test)]
mod page;
pub mod process;
mod routes;
pub mod status;
#[cfg(test)]
mod tests;
pub(crate) mod timestamp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

pub use self::board::{Board, Serving};

use self::routes::Routes;
use crate::gate::{Gate, HandshakeError, Rounds};
use crate::supervise::{Panics, fault_point};

/// Connections at a time; the next one waits in the kernel's backlog.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send the head of a request, and how long it may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may live.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// How long a connection that has to end may take to do so.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Rest after a failed accept: the usual cause is that no file descriptor is left, and that takes time to mend.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The admin endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the admin endpoint {address} cannot be opened: {}", mend(source))]
pub struct BindError {
    /// The address, as configured.
    pub address: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What to do about a failed bind.
fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "something else listens there; stop it, or give `service.telemetry.endpoint` another address, or `none`"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address; choose one that it has",
        io::ErrorKind::PermissionDenied => "this user may not open that port; choose one above 1023",
        _ => "the address has to be host:port, as in 127.0.0.1:8888",
    }
}

/// A running admin endpoint.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// Looks at the files of the gate.
    _rounds: Rounds,
}

/// What a connection comes into.
struct Hall {
    gate: Gate,
    routes: Arc<Routes>,
}

impl Admin {
    /// Binds `address` (`host:port`; port 0 asks for any) and serves, behind `gate`, until [`Admin::stop`].
    pub async fn start(
        address: &str,
        gate: Gate,
        registry: Arc<Registry>,
        board: Arc<Board>,
    ) -> Result<Admin, BindError> {
        let bind_error = |source| BindError { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(bind_error)?;
        let bound = listener.local_addr().map_err(bind_error)?;
        let (stop, stopped) = watch::channel(false);
        let panics = board.panics();
        let routes = Arc::new(Routes::new(registry, board));
        let rounds = Rounds::start([&gate]);
        let hall = Arc::new(Hall { gate, routes });
        let task = tokio::spawn(async move {
            let panics = &panics;
            panics.survived("admin endpoint", || accept(&listener, &hall, stopped.clone(), panics)).await;
        });
        Ok(Admin { address: bound, stop, task, _rounds: rounds })
    }

    /// The address that is served, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, ends those that there are after their current answer, and waits for that: two
    /// seconds at most.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the admin endpoint had failed");
        }
    }
}

async fn accept(listener: &TcpListener, hall: &Arc<Hall>, mut stopped: watch::Receiver<bool>, panics: &Panics) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let of_connections = stopped.clone();
    loop {
        let next = async {
            // Cannot fail: the semaphore is never closed.
            let place = places.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    fault_point("admin");
                    let connection = serve(stream, peer, Arc::clone(hall), of_connections.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin endpoint could not take a connection");
                    sleep(ACCEPT_REST).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(panic) = ended.map_err(JoinError::try_into_panic) {
                    panic.into_iter().for_each(|panic| panics.note("an admin connection", &*panic));
                }
            }
            () = told_to_stop(&mut stopped) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Comes back when the endpoint is stopped or dropped.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn serve(stream: TcpStream, peer: SocketAddr, hall: Arc<Hall>, mut stopped: watch::Receiver<bool>) {
    if !hall.gate.speaks_tls() {
        return converse(stream, peer, hall, stopped).await;
    }
    let shaken = tokio::select! {
        shaken = timeout(HEAD_TIMEOUT, hall.gate.shake_hands(stream, peer)) => shaken,
        () = told_to_stop(&mut stopped) => return,
    };
    match shaken {
        Ok(Ok(stream)) => converse(stream, peer, hall, stopped).await,
        // Told and counted already.
        Ok(Err(_)) => {}
        Err(_) => hall.gate.note_handshake(peer, &HandshakeError::Timeout(HEAD_TIMEOUT)),
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, hall: Arc<Hall>, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let hall = hall.clone();
        async move {
            let denied = match routes::is_open(&request) {
                true => None,
                false => hall.gate.admit(request.headers(), peer).await.err(),
            };
            Ok::<_, std::convert::Infallible>(match denied {
                Some(denied) => routes::denied(&denied),
                None => hall.routes.answer(&request),
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is the client's affair, so a failure is not reported.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = told_to_stop(&mut stopped) => {}
        () = sleep(CONNECTION_AGE_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GOODBYE_MAX, connection).await;
}
