//! The board: what the topology writes and the admin endpoint reads. Written a few times in a process's life.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::status::{
    DeadTask, EndpointStatus, ExporterStatus, Health, LeftStatus, PipelineStatus, Readiness, ReceiverStatus,
    ReloadOutcome, ReloadStatus, SignalTotals, Status,
};
use super::timestamp;
use crate::audit::Audit;
use crate::config::spec::Codec;
use crate::data::Signal;
use crate::destination::circuit::Position;
use crate::exporter::compress::chooser::CANDIDATES;
use crate::exporter::compress::meter;
use crate::memory::Memory;
use crate::supervise::Panics;
use crate::telemetry::metrics::{CodecLabels, EndpointLabels, ExporterLabels, Metrics, PipelineLabels, ReloadLabels};

/// Dead tasks that are remembered; the first ones tell the story.
const DEAD_TASKS_MAX: usize = 32;

/// Queues that were left behind and are told of.
const LEFT_BEHIND_MAX: usize = 32;

/// The generation that serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Serving {
    /// Its number, counted from 1.
    pub generation: u64,
    /// Its pipelines.
    pub pipelines: Vec<PipelineStatus>,
    /// Ids of its exporters; their queues are read from the metrics.
    pub exporters: Vec<String>,
    /// The endpoints of those that have some; their circuits are read from the metrics.
    pub endpoints: BTreeMap<String, Vec<String>>,
}

/// What the process says about itself. Shared; every method may be called from anywhere and returns at once.
#[derive(Debug)]
pub struct Board {
    started_at: SystemTime,
    started: Instant,
    metrics: Metrics,
    memory: Memory,
    audit: Audit,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    serving: Option<Arc<Serving>>,
    receivers: Vec<ReceiverStatus>,
    last_reload: Option<ReloadStatus>,
    dead_tasks: Vec<DeadTask>,
    found_dead: Vec<DeadTask>,
    draining: bool,
    left_behind: Vec<LeftStatus>,
}

impl Board {
    /// A board of a process that starts now. Queue lengths are read from `metrics`; reloads and generations are
    /// counted there.
    pub fn new(metrics: Metrics, memory: Memory, audit: Audit) -> Arc<Self> {
        Arc::new(Board {
            started_at: SystemTime::now(),
            started: Instant::now(),
            metrics,
            memory,
            audit,
            state: Mutex::new(State::default()),
        })
    }

    /// Examples of dropped records.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// A generation serves from now on.
    pub fn serve(&self, serving: Serving) {
        let labels = |id: &String| PipelineLabels { pipeline: id.clone() };
        let before = self.state.lock().serving.replace(Arc::new(serving.clone()));
        for gone in before.iter().flat_map(|before| &before.pipelines) {
            if !serving.pipelines.iter().any(|pipeline| pipeline.id == gone.id) {
                self.metrics.generation.remove(&labels(&gone.id));
            }
        }
        for pipeline in &serving.pipelines {
            let generation = i64::try_from(pipeline.generation).unwrap_or(i64::MAX);
            self.metrics.generation.get_or_create_owned(&labels(&pipeline.id)).set(generation);
        }
    }

    /// The listeners that there are to be. Those without an address keep the process from being ready.
    pub fn listen(&self, receivers: Vec<ReceiverStatus>) {
        self.state.lock().receivers = receivers;
    }

    /// A reload has ended, and is counted. `error` is for people: the whole chain of causes.
    pub fn record_reload(&self, outcome: ReloadOutcome, generation: u64, error: Option<String>) {
        self.metrics.reloads.get_or_create_owned(&ReloadLabels { outcome: outcome.name() }).inc();
        let at = timestamp::rfc3339(SystemTime::now());
        self.state.lock().last_reload = Some(ReloadStatus { at, outcome, generation, error });
    }

    /// An exporter is gone and left something in its durable queue. The last few are remembered.
    pub fn leave(&self, left: LeftStatus) {
        let mut state = self.state.lock();
        state.left_behind.retain(|other| other.dir != left.dir);
        if state.left_behind.len() >= LEFT_BEHIND_MAX {
            state.left_behind.remove(0);
        }
        state.left_behind.push(left);
    }

    /// The durable queues of these directories are served.
    pub fn reclaim<'a>(&self, dirs: impl Iterator<Item = &'a Path>) {
        let mut state = self.state.lock();
        for dir in dirs {
            state.left_behind.retain(|left| left.dir != dir);
        }
    }

    /// A task ended that never should: the process is unhealthy from now on.
    pub fn bury(&self, task: impl Into<String>, reason: impl Into<String>) {
        let mut state = self.state.lock();
        if state.dead_tasks.len() < DEAD_TASKS_MAX {
            state.dead_tasks.push(DeadTask { task: task.into(), reason: reason.into() });
        }
    }

    /// The process ends as soon as its queues are empty: no new traffic should come.
    pub fn drain(&self) {
        self.state.lock().draining = true;
    }

    /// What was found dead in the last round over everything: it makes the process unhealthy until a round that does
    /// not find it any more. What is new is logged.
    pub fn found_dead(&self, found: Vec<DeadTask>) {
        let before = std::mem::replace(&mut self.state.lock().found_dead, found.clone());
        for DeadTask { task, reason } in found.iter().filter(|task| !before.contains(task)) {
            tracing::error!(task, "not healthy: {reason}");
        }
        for DeadTask { task, .. } in before.iter().filter(|task| !found.contains(task)) {
            tracing::info!(task, "healthy again");
        }
    }

    /// The count of panics.
    pub fn panics(&self) -> Panics {
        Panics::new(self.metrics.task_panics.clone())
    }

    /// Whether the process can still do its work.
    pub fn health(&self) -> Health {
        let state = self.state.lock();
        let dead_tasks: Vec<_> = state.dead_tasks.iter().chain(&state.found_dead).cloned().collect();
        drop(state);
        Health { healthy: dead_tasks.is_empty(), dead_tasks }
    }

    /// Whether traffic should come here.
    pub fn readiness(&self) -> Readiness {
        let reasons = self.state.lock().reasons();
        Readiness { ready: reasons.is_empty(), reasons }
    }

    /// Everything, with totals that somebody else has counted.
    pub(super) fn status(&self, accounting: BTreeMap<Signal, SignalTotals>) -> Status {
        let state = self.state.lock();
        let serving = state.serving.clone();
        let reasons = state.reasons();
        let (receivers, last_reload) = (state.receivers.clone(), state.last_reload.clone());
        let left_behind = state.left_behind.clone();
        drop(state);
        let exporters = serving.iter().flat_map(|serving| {
            let endpoints = |id| serving.endpoints.get(id).map(Vec::as_slice).unwrap_or_default();
            serving.exporters.iter().map(move |id| self.exporter(id, endpoints(id)))
        });
        let exporters: Vec<_> = exporters.collect();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: timestamp::rfc3339(self.started_at),
            uptime_s: self.started.elapsed().as_secs(),
            ready: reasons.is_empty(),
            reasons,
            generation: serving.as_ref().map(|serving| serving.generation),
            queued: exporters.iter().map(|exporter| exporter.queue_records).sum(),
            exporters,
            pipelines: serving.as_ref().map(|serving| serving.pipelines.clone()).unwrap_or_default(),
            receivers,
            left_behind,
            last_reload,
            memory: self.memory.status(),
            accounting,
        }
    }

    fn exporter(&self, id: &str, endpoints: &[String]) -> ExporterStatus {
        let labels = ExporterLabels { exporter: id.to_owned() };
        ExporterStatus {
            id: id.to_owned(),
            queue_bytes: self.metrics.exporter_queue_size.get_or_create_owned(&labels).get(),
            queue_records: self.metrics.exporter_queue_records.get_or_create_owned(&labels).get(),
            capacity: self.metrics.exporter_queue_capacity.get_or_create_owned(&labels).get(),
            compression: self.compression(id),
            endpoints: endpoints.iter().map(|endpoint| self.endpoint(id, endpoint)).collect(),
            recovered_records: Signal::ALL
                .map(|signal| self.metrics.exporter_recovered.counter(signal, &labels).get())
                .iter()
                .sum(),
        }
    }

    fn compression(&self, id: &str) -> Option<String> {
        let chosen = &self.metrics.exporter_compression_chosen;
        let is_chosen = |codec: &Codec| chosen.get(&CodecLabels::new(id, *codec)).is_some_and(|gauge| gauge.get() > 0);
        CANDIDATES.into_iter().find(is_chosen).map(meter::name)
    }

    fn endpoint(&self, id: &str, endpoint: &str) -> EndpointStatus {
        let labels = EndpointLabels { exporter: id.to_owned(), endpoint: endpoint.to_owned() };
        let number = self.metrics.exporter_circuit.get_or_create_owned(&labels).get();
        let positions = [Position::Closed, Position::HalfOpen];
        let position = positions.into_iter().find(|position| position.number() == number);
        EndpointStatus { endpoint: endpoint.to_owned(), circuit: position.unwrap_or(Position::Open).name() }
    }
}

impl State {
    /// Why the process is not ready.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.draining {
            reasons.push("draining: the process is about to end".to_owned());
        }
        if self.serving.is_none() {
            reasons.push("no generation serves yet".to_owned());
        }
        for receiver in self.receivers.iter().filter(|receiver| receiver.address.is_none()) {
            reasons.push(format!("receiver {} does not listen on {} yet", receiver.id, receiver.transport));
        }
        reasons
    }
}
