//! Receivers across generations: a listener whose address does not change is rewired, never closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::destinations::Destinations;
use super::entry::{Entry, Lease, Route};
use super::generation::Generation;
use crate::admin::status::ReceiverStatus;
use crate::config::spec::{GrpcServerSpec, HttpServerSpec, ReceiverSpec, ReplaySpec, RequestLimits, SecuritySpec};
use crate::data::Signal;
use crate::gate::{Alpn, Gate, GateError, Rounds};
use crate::memory::Memory;
use crate::receiver::meter::Meter;
use crate::receiver::{BindError, Listener, Progress, Replay, ReplayError, Server, Wiring};
use crate::report;
use crate::shard::Shards;
use crate::telemetry::metrics::Metrics;

/// What listens and what reads.
#[derive(Default)]
pub(super) struct Receivers {
    servers: BTreeMap<ServerKey, Server>,
    replays: BTreeMap<String, (ReplaySpec, Replay)>,
    /// Replays that were told to be through.
    told: BTreeSet<String>,
    gates: Vec<Gate>,
    /// Looks at the files of the gates.
    rounds: Rounds,
}

/// What makes a listener the same across generations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerKey {
    receiver: String,
    transport: &'static str,
    endpoint: String,
}

/// A receiver that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiverFault {
    #[error("receiver `{id}` cannot listen")]
    Bind {
        id: String,
        #[source]
        source: BindError,
    },
    #[error("receiver `{id}` ({transport}) cannot be secured")]
    Gate {
        id: String,
        transport: &'static str,
        #[source]
        source: GateError,
    },
    #[error("receiver `{id}` cannot replay")]
    Replay {
        id: String,
        #[source]
        source: ReplayError,
    },
}

/// Listeners that are bound for a generation and do not accept yet, and the gates of all.
pub(super) struct Bound {
    gates: BTreeMap<ServerKey, Gate>,
    listeners: BTreeMap<ServerKey, Listener>,
}

/// A network side of a receiver.
enum Side<'a> {
    Grpc(&'a GrpcServerSpec),
    Http(&'a HttpServerSpec),
}

impl Side<'_> {
    fn security(&self) -> (&SecuritySpec, Alpn) {
        match self {
            Side::Grpc(spec) => (&spec.security, Alpn::H2),
            Side::Http(spec) => (&spec.security, Alpn::H2AndHttp1),
        }
    }

    fn limits(&self) -> &RequestLimits {
        match self {
            Side::Grpc(spec) => &spec.limits,
            Side::Http(spec) => &spec.limits,
        }
    }
}

fn sides(generation: &Generation) -> Vec<(ServerKey, Side<'_>)> {
    let mut sides = Vec::new();
    for (id, receiver) in &generation.spec.receivers {
        let ReceiverSpec::Otlp { grpc, http } = receiver else { continue };
        let key =
            |transport, endpoint: &str| ServerKey { receiver: id.clone(), transport, endpoint: endpoint.to_owned() };
        sides.extend(grpc.as_ref().map(|spec| (key("grpc", &spec.endpoint), Side::Grpc(spec))));
        sides.extend(http.as_ref().map(|spec| (key("http", &spec.endpoint), Side::Http(spec))));
    }
    sides
}

/// Builds what stands before each listener of a generation: its certificates and credentials are read here.
pub(super) fn gates(generation: &Generation, metrics: &Metrics) -> Result<BTreeMap<ServerKey, Gate>, ReceiverFault> {
    let gate = |(key, side): (ServerKey, Side<'_>)| {
        let ((spec, alpn), ServerKey { receiver, transport, .. }) = (side.security(), &key);
        let fault = |source| ReceiverFault::Gate { id: receiver.clone(), transport, source };
        let gate = Gate::build(receiver, transport, spec, alpn, metrics).map_err(fault)?;
        Ok((key, gate))
    };
    sides(generation).into_iter().map(gate).collect()
}

/// The server of another receiver that holds the same address. Port 0 is none: each listener has a port of its own.
fn same_socket(servers: &BTreeMap<ServerKey, Server>, key: &ServerKey) -> Option<ServerKey> {
    let fixed = !key.endpoint.ends_with(":0");
    servers.keys().find(|held| fixed && held.endpoint == key.endpoint).cloned()
}

fn replays(generation: &Generation) -> impl Iterator<Item = (&String, &ReplaySpec)> {
    generation.spec.receivers.iter().filter_map(|(id, receiver)| match receiver {
        ReceiverSpec::Replay(spec) => Some((id, spec)),
        ReceiverSpec::Otlp { .. } => None,
    })
}

/// What a swap hands to receivers.
pub(super) struct Handover<'a> {
    pub(super) generation: &'a Generation,
    pub(super) destinations: &'a Destinations,
    pub(super) lease: Lease,
    pub(super) shards: &'a Shards,
    pub(super) memory: &'a Memory,
    pub(super) metrics: &'a Metrics,
}

impl Handover<'_> {
    fn entry(&self, receiver: &str, transport: &'static str, limits: &RequestLimits) -> Arc<Entry> {
        let routes = |signal| {
            let pipelines = self.generation.fed_by(receiver, signal).into_iter();
            pipelines
                .map(|pipeline| {
                    let ends = pipeline.exporters.iter().filter_map(|id| self.destinations.find(id)).collect();
                    Route { pipeline, destinations: ends }
                })
                .collect()
        };
        let pipelines = Signal::ALL.into_iter().map(|signal| (signal, routes(signal))).collect();
        let late = Arc::new(Meter::new(self.metrics, receiver, transport));
        Arc::new(Entry::new(pipelines, limits, late, self.memory.clone(), self.shards.clone(), self.lease.clone()))
    }
}

impl Receivers {
    /// Binds what a generation needs and nobody holds yet. A listener that only moves to another receiver keeps
    /// its socket. Nothing of `self` changes.
    pub(super) fn bind(&self, generation: &Generation, metrics: &Metrics) -> Result<Bound, ReceiverFault> {
        let gates = gates(generation, metrics)?;
        let mut listeners = BTreeMap::new();
        for (key, _) in sides(generation) {
            if self.servers.contains_key(&key) || same_socket(&self.servers, &key).is_some() {
                continue;
            }
            let listener = Listener::bind(&key.endpoint)
                .map_err(|source| ReceiverFault::Bind { id: key.receiver.clone(), source })?;
            listeners.insert(key, listener);
        }
        for (id, spec) in replays(generation) {
            Replay::check(spec).map_err(|source| ReceiverFault::Replay { id: id.clone(), source })?;
        }
        Ok(Bound { gates, listeners })
    }

    /// Hands the next requests to a generation. The answer is what is no longer needed, to be drained.
    pub(super) fn swap(&mut self, to: &Handover<'_>, mut bound: Bound) -> Retired {
        let mut old = std::mem::take(&mut self.servers);
        self.gates = bound.gates.values().cloned().collect();
        self.rounds = Rounds::start(&self.gates);
        for (key, side) in sides(to.generation) {
            let intake = to.entry(&key.receiver, key.transport, side.limits());
            let wiring = match side {
                Side::Grpc(spec) => Wiring::grpc(&key.receiver, spec, intake, to.memory, to.metrics),
                Side::Http(spec) => Wiring::http(&key.receiver, spec, intake, to.memory, to.metrics),
            };
            let wiring = wiring.behind(bound.gates.remove(&key).unwrap_or_default());
            if let Some(listener) = bound.listeners.remove(&key) {
                self.servers.insert(key, Server::start(listener, to.shards, wiring));
                continue;
            }
            let held = if old.contains_key(&key) { Some(key.clone()) } else { same_socket(&old, &key) };
            if let Some(server) = held.and_then(|held| old.remove(&held)) {
                server.rewire(wiring);
                self.servers.insert(key, server);
            }
        }
        Retired { servers: old.into_values().collect(), replays: self.swap_replays(to) }
    }

    fn swap_replays(&mut self, to: &Handover<'_>) -> Vec<Replay> {
        let mut old = std::mem::take(&mut self.replays);
        let mut retired = Vec::new();
        for (index, (id, spec)) in replays(to.generation).enumerate() {
            let intake = to.entry(id, "file", &spec.limits);
            let replay = match old.remove(id) {
                Some((before, replay)) if before == *spec => {
                    replay.rewire(intake);
                    Some(replay)
                }
                before => {
                    retired.extend(before.map(|(_, replay)| replay));
                    self.told.remove(id);
                    started(id, Replay::start(id, spec, intake, to.memory, to.metrics, to.shards, index))
                }
            };
            self.replays.extend(replay.map(|replay| (id.clone(), (spec.clone(), replay))));
        }
        retired.extend(old.into_values().map(|(_, replay)| replay));
        retired
    }

    /// Looks at the files of all gates now.
    pub(super) async fn look(&self) {
        for gate in &self.gates {
            gate.look().await;
        }
    }

    /// What listens, for people.
    pub(super) fn status(&self) -> Vec<ReceiverStatus> {
        let address = |address: SocketAddr| Some(address.to_string());
        let servers = self.servers.iter().map(|(key, server)| ReceiverStatus {
            id: key.receiver.clone(),
            transport: key.transport.to_owned(),
            address: address(server.local_addr()),
        });
        servers.collect()
    }

    /// Waits until every replay is through, if nothing else could bring records; else for ever.
    pub(super) async fn exhausted(&self) {
        if !self.servers.is_empty() || self.replays.is_empty() {
            return std::future::pending().await;
        }
        for (_, replay) in self.replays.values() {
            replay.finished().await;
        }
    }

    /// Waits until a replay is through of which this did not tell yet.
    pub(super) async fn replayed(&self) -> (String, Progress) {
        let new = self.replays.iter().filter(|(id, _)| !self.told.contains(*id));
        let ends: Vec<_> =
            new.map(|(id, (_, replay))| Box::pin(async move { (id.clone(), replay.finished().await) })).collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(ends).await.0
    }

    /// Replays that ended without being through.
    pub(super) fn dead(&self) -> impl Iterator<Item = &String> {
        self.replays.iter().filter(|(_, (_, replay))| replay.is_dead()).map(|(id, _)| id)
    }

    /// Notes that a replay was told to be through.
    pub(super) fn note_told(&mut self, id: String) {
        self.told.insert(id);
    }

    /// Everything, to be drained.
    pub(super) fn retire(self) -> Retired {
        Retired {
            servers: self.servers.into_values().collect(),
            replays: self.replays.into_values().map(|(_, replay)| replay).collect(),
        }
    }
}

/// The files were there when the generation was checked; should they be gone since, the rest serves all the same.
fn started(id: &str, replay: Result<Replay, ReplayError>) -> Option<Replay> {
    replay.inspect_err(|error| tracing::error!("receiver `{id}` cannot replay: {}", report::chain(error))).ok()
}

/// Receivers that take nothing more.
pub(super) struct Retired {
    servers: Vec<Server>,
    replays: Vec<Replay>,
}

impl Retired {
    /// Lets requests that are under way finish.
    pub(super) async fn drain(self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let servers = self.servers.into_iter().map(|server| async move {
            let address = server.local_addr();
            let drained = server.drain(deadline).await;
            if drained.cut_off > 0 {
                tracing::warn!(%address, "{} of {} connections were cut off", drained.cut_off, drained.connections);
            }
        });
        let replays = self.replays.into_iter().map(|replay| replay.drain(deadline));
        futures_util::future::join(futures_util::future::join_all(servers), futures_util::future::join_all(replays))
            .await;
    }
}
