//! A listener at work: connections are accepted in one place and dealt to the shards in turn.
//!
//! Its life: [`start`](Server::start) spawns the accept loop; [`rewire`](Server::rewire) exchanges what is served, any
//! number of times; [`drain`](Server::drain) stops accepting, asks every connection to go away, lets the requests that
//! are under way finish, and at the deadline closes what is left.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::Connection;
use super::listener::Listener;
use super::meter::Limit;
use super::slots::{Slot, Slots};
use super::wiring::Wiring;
use crate::config::spec::TlsServerSpec;
use crate::shard::Shards;
use crate::supervise::{Panics, fault_point};

/// How often a full listener looks whether a reload has made room.
const FULL_CHECK: Duration = Duration::from_secs(1);

/// First and longest wait after a failed accept.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How far a listener is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Not at all.
    Serving,
    /// What is under way may finish.
    Draining,
    /// Everything ends now.
    Closed,
}

/// A listener at work.
pub struct Server {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    accepting: JoinHandle<()>,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when it began.
    pub connections: usize,
    /// Of these, those that the deadline cut off.
    pub cut_off: usize,
}

/// What the accept loop and all connections share.
pub(super) struct Shared {
    pub wiring: ArcSwap<Wiring>,
    /// How connections are secured now: those that began otherwise are asked to go away.
    pub transport: watch::Sender<Option<TlsServerSpec>>,
    slots: Slots,
    accept_failures: AtomicU64,
    pub panics: Panics,
}

impl Server {
    /// Begins to accept connections: on shard 0, for all shards.
    pub fn start(listener: Listener, shards: &Shards, wiring: Wiring) -> Server {
        let shared = Arc::new(Shared {
            transport: watch::Sender::new(wiring.gate.transport()),
            wiring: ArcSwap::from_pointee(wiring),
            slots: Slots::new(),
            accept_failures: AtomicU64::new(0),
            panics: shards.panics().clone(),
        });
        let (phase, phase_rx) = watch::channel(Phase::Serving);
        let local_addr = listener.local_addr();
        let next = AtomicUsize::new(0);
        let dealer = Dealer { shared: Arc::clone(&shared), shards: shards.clone(), phase: phase_rx, next };
        let accepting = shards.spawn_on(0, "accept connections", dealer.run(listener));
        Server { local_addr, shared, phase, accepting }
    }

    /// The address with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Exchanges what is served, from the next request on. No connection is closed, except when the settings of TLS
    /// are others: then each is asked to go away, as for a drain.
    pub fn rewire(&self, mut wiring: Wiring) {
        wiring.admission.take_over(&self.shared.wiring.load().admission);
        let transport = wiring.gate.transport();
        self.shared.wiring.store(Arc::new(wiring));
        self.shared.transport.send_if_modified(|before| {
            let differs = *before != transport;
            *before = transport;
            differs
        });
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.shared.slots.taken()
    }

    /// How often a connection could not be accepted, as when the process has no file descriptors left.
    pub fn accept_failures(&self) -> u64 {
        self.shared.accept_failures.load(Ordering::Relaxed)
    }

    /// Stops accepting, lets the requests that are under way finish until `deadline`, and closes.
    pub async fn drain(self, deadline: Instant) -> Drained {
        let connections = self.connections();
        self.phase.send_replace(Phase::Draining);
        // The loop only ends; if it panicked, there is nothing to wait for either.
        let _ = self.accepting.await;
        let slots = &self.shared.slots;
        let cut_off = match timeout_at(deadline, slots.all_ended()).await {
            Ok(()) => 0,
            Err(_) => slots.taken(),
        };
        self.phase.send_replace(Phase::Closed);
        // Connections end at once now.
        slots.all_ended().await;
        Drained { connections, cut_off }
    }
}

/// The accept loop.
struct Dealer {
    shared: Arc<Shared>,
    shards: Shards,
    phase: watch::Receiver<Phase>,
    next: AtomicUsize,
}

impl Dealer {
    async fn run(self, listener: Listener) {
        let mut phase = self.phase.clone();
        let listener = match TcpListener::from_std(listener.socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot accept connections"),
        };
        let accepting = self.shared.panics.survived("accept connections", || self.accept(&listener));
        tokio::select! {
            // An error means that the server was dropped: nobody wants the connections any more.
            _ = phase.wait_for(|phase| *phase > Phase::Serving) => {}
            () = accepting => {}
        }
    }

    /// Accepts until it is dropped. Whatever fails, it goes on: the listener has to be there when the cause has gone.
    async fn accept(&self, listener: &TcpListener) {
        let mut backoff = BACKOFF.0;
        loop {
            match listener.accept().await.and_then(|(stream, peer)| Ok((prepared(stream)?, peer))) {
                Ok((stream, peer)) => {
                    backoff = BACKOFF.0;
                    fault_point("accept");
                    let slot = self.slot().await;
                    self.deal(stream, peer, slot);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    self.shared.accept_failures.fetch_add(1, Ordering::Relaxed);
                    self.shared.wiring.load().meter.limited(Limit::Accept);
                    if backoff == BACKOFF.0 {
                        tracing::warn!(%error, "cannot accept a connection, trying again");
                    }
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// Waits for a place; the connections behind this one wait in the kernel. An attacker who holds all places is
    /// thrown out by the timeouts, if he says nothing.
    async fn slot(&self) -> Slot {
        let mut waits = false;
        loop {
            let wiring = self.shared.wiring.load();
            if let Some(slot) = self.shared.slots.try_take(wiring.limits().max_connections) {
                return slot;
            }
            if !std::mem::replace(&mut waits, true) {
                wiring.meter.limited(Limit::Connections);
            }
            drop(wiring);
            let _ = timeout(FULL_CHECK, self.shared.slots.one_ended()).await;
        }
    }

    fn deal(&self, stream: TcpStream, peer: SocketAddr, slot: Slot) {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
        let (shared, phase) = (Arc::clone(&self.shared), self.phase.clone());
        let connection = Connection { shared, shard, phase, slot, peer };
        // Detached: the drain waits for its slot, the shard for its end.
        drop(self.shards.spawn_on(shard, "serve a connection", async move {
            if let Err(error) = connection.serve(stream).await {
                tracing::debug!(%peer, error = %error, "connection ended");
            }
        }));
    }
}

/// Leaves this shard's reactor, for the shard that the connection is dealt to.
fn prepared(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.into_std()
}

/// Whether an accept failed only because the peer has gone already.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected};
    // `set_nodelay` says InvalidInput on some systems when the peer has reset the connection.
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | InvalidInput | NotConnected)
}
