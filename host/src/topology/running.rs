//! What runs now, and the swap to what runs next.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use super::build::Workshop;
use super::destinations::{self, Destinations, ExporterFault};
use super::generation::Generation;
use super::receivers::{Bound, Handover, ReceiverFault, Receivers, Retired};
use super::rounds::{self, Found};
use super::summary;
use crate::admin::{Board, Serving};
use crate::config::spec::PluginSource;
use crate::config::{Loaded, Problems, diff};
use crate::destination::queues::Left;
use crate::destination::stop::Manner;
use crate::memory::Memory;
use crate::shard::Shards;
use crate::watch::WatchSet;

/// The running process.
pub struct Running {
    paths: Vec<PathBuf>,
    workshop: Workshop,
    shards: Shards,
    handles: Vec<Handle>,
    receivers: Receivers,
    destinations: Destinations,
    generation: Arc<Generation>,
    /// Ends when the last request of the generation is through.
    lease: mpsc::Receiver<Infallible>,
    board: Arc<Board>,
    memory: Memory,
    /// Earlier generations' receivers and destinations, on their way out.
    retiring: JoinSet<()>,
}

/// A generation that only has to be swapped in.
pub(super) struct Prepared {
    generation: Generation,
    destinations: Destinations,
    bound: Bound,
}

/// Why a generation cannot take over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    #[error(transparent)]
    Problems(#[from] Problems),
    #[error(transparent)]
    Exporter(#[from] ExporterFault),
    #[error(transparent)]
    Receiver(#[from] ReceiverFault),
}

impl Running {
    /// Builds the first generation and begins to serve it.
    pub(super) async fn start(
        paths: Vec<PathBuf>,
        loaded: Loaded,
        workshop: Workshop,
        board: Arc<Board>,
        memory: Memory,
    ) -> anyhow::Result<Running> {
        let shards = Shards::counting(loaded.spec.service.shards, board.panics())?;
        let first = workshop.generation(&loaded.spec, shards.len(), 1).await?;
        let (_, lease) = mpsc::channel(1);
        let destinations = Destinations::none(workshop.dead_letters.clone().unwrap_or_default());
        let mut running = Running {
            paths,
            handles: shards.handles(),
            workshop,
            shards,
            receivers: Receivers::default(),
            destinations,
            generation: Arc::new(Generation::nothing()),
            lease,
            board,
            memory,
            retiring: JoinSet::new(),
        };
        let prepared = running.complete(first).await?;
        running.swap(prepared);
        Ok(running)
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Builds the next generation beside the running one; none if it would be the same.
    pub(super) async fn prepare(&self, loaded: &Loaded) -> Result<Option<Prepared>, Obstacle> {
        let next = self.workshop.generation(&loaded.spec, self.shards.len(), self.generation.number + 1).await?;
        if diff(&self.generation.spec, &next.spec).is_empty() && self.generation.digests == next.digests {
            self.receivers.look().await;
            return Ok(None);
        }
        self.complete(next).await.map(Some)
    }

    /// Builds and binds what the generation needs beside its pipelines.
    async fn complete(&self, generation: Generation) -> Result<Prepared, Obstacle> {
        let metrics = &self.workshop.metrics;
        let bound = self.receivers.bind(&generation, metrics)?;
        let destinations = self.destinations.next(&generation.spec, &self.handles, metrics).await?;
        Ok(Prepared { generation, destinations, bound })
    }

    /// Hands everything from the next request on to a generation, and lets the old one end.
    pub(super) fn swap(&mut self, prepared: Prepared) {
        let Prepared { generation, destinations, bound } = prepared;
        self.warn_of_what_needs_a_restart(&generation);
        destinations.serve();
        let (lease, ends) = mpsc::channel(1);
        let handover = Handover {
            generation: &generation,
            destinations: &destinations,
            lease,
            shards: &self.shards,
            memory: &self.memory,
            metrics: &self.workshop.metrics,
        };
        self.memory.limit(&generation.spec.service.memory_limiter);
        let retired = self.receivers.swap(&handover, bound);
        drop(handover);
        self.workshop.forget_all_but(&generation);
        let old_destinations = self.destinations.retired_by(&destinations);
        let old_lease = std::mem::replace(&mut self.lease, ends);
        let patience = generation.spec.service.shutdown_timeout;
        let board = Arc::clone(&self.board);
        self.retiring.spawn(retire(retired, old_lease, old_destinations, patience, board));
        while let Some(retired) = self.retiring.try_join_next() {
            note(&self.board, retired);
        }
        self.destinations = destinations;
        self.generation = Arc::new(generation);
        self.tell();
    }

    fn warn_of_what_needs_a_restart(&self, next: &Generation) {
        let (old, new) = (&self.generation.spec.service, &next.spec.service);
        let is_first = self.generation.number == 0;
        if !is_first
            && (old.shards != new.shards
                || old.admin_endpoint != new.admin_endpoint
                || old.admin_security != new.admin_security
                || old.audit != new.audit)
        {
            tracing::warn!("service.shards and service.telemetry take effect at the next start");
        }
    }

    fn tell(&self) {
        let receivers = self.receivers.status();
        summary::log(&self.generation, &receivers);
        self.board.listen(receivers);
        self.board.reclaim(self.destinations.dirs());
        self.board.serve(Serving {
            generation: self.generation.number,
            pipelines: self.generation.status(),
            exporters: self.destinations.ids().cloned().collect(),
            endpoints: self.destinations.endpoints(),
        });
    }

    /// Waits until a replay is through, and tells what became of its records so far.
    pub(super) async fn replayed(&self) -> String {
        let (id, progress) = self.receivers.replayed().await;
        tracing::info!(
            "receiver {id} is through: {} requests, {} records taken, {} rejected, {} requests left out",
            progress.requests,
            progress.accepted,
            progress.rejected,
            progress.left_out
        );
        summary::log_work(&self.generation, &self.workshop.metrics);
        id
    }

    /// Looks at everything that should be alive.
    pub(super) fn round(&self) -> Found {
        rounds::round(&self.shards, &self.destinations, &self.receivers, &self.board)
    }

    /// Notes that it was told.
    pub(super) fn note_told(&mut self, replay: String) {
        self.receivers.note_told(replay);
    }

    /// Waits until nothing more can come: every replay is through and nothing listens.
    pub(super) async fn exhausted(&self) {
        self.receivers.exhausted().await;
    }

    /// Ends in order: nothing more is taken, what was taken is delivered, threads end; all within `patience`.
    pub(super) async fn drain(mut self, patience: Duration) {
        let end = Instant::now() + patience;
        // Half of the time at most for clients, so that delivery has the other half.
        self.receivers.retire().drain(patience / 2).await;
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        destinations::drain(self.destinations.all(), Manner::Deliver, left(end)).await.iter().for_each(tell_kept);
        while let Ok(Some(retired)) = timeout(left(end), self.retiring.join_next()).await {
            note(&self.board, retired);
        }
        for task in self.shards.shutdown(end.max(Instant::now() + Duration::from_secs(1))).await {
            tracing::warn!(shard = task.shard, "{} × `{}` was cut off", task.count, task.task);
        }
    }
}

/// Notes how the end of an old generation went.
fn note(board: &Board, retired: Result<(), JoinError>) {
    let panic = retired.err().and_then(|error| error.try_into_panic().ok());
    panic.into_iter().for_each(|panic| board.panics().note("end of an old generation", &*panic));
}

fn tell_kept(left: &Left) {
    let Left { exporter, dir, bytes, records } = left;
    let dir = dir.display();
    tracing::info!("{records} records ({bytes} bytes) of exporter {exporter} are kept in {dir} for the next start");
}

/// Ends what only an old generation used, once its last request is through.
async fn retire(
    retired: Retired,
    mut lease: mpsc::Receiver<Infallible>,
    old: destinations::Retired,
    patience: Duration,
    board: Arc<Board>,
) {
    let requests = async {
        retired.drain(patience).await;
        // Requests have deadlines of their own; should one hang all the same, its destination ends under it.
        let _ = timeout(patience, lease.recv()).await;
    };
    // At once, since the next generation delivers from the same queues; requests that are under way still get in.
    let handing_over = destinations::drain(old.handed_over, Manner::HandOver, patience);
    // Nobody took over if the process ends.
    let ((), kept) = tokio::join!(requests, handing_over);
    kept.iter().for_each(tell_kept);
    for left in destinations::drain(old.ended, Manner::Deliver, patience).await {
        let Left { exporter, dir, bytes, records } = &left;
        let dir = dir.display();
        tracing::warn!(
            "exporter {exporter} is gone, and {records} records ({bytes} bytes) stay in its durable queue {dir}: bring \
             it back, or see `sluicebox queue`"
        );
        board.leave(left.into());
    }
}

/// Everything that a generation is built from.
pub(super) fn watch_set(paths: &[PathBuf], loaded: &Loaded) -> WatchSet {
    let mut set = WatchSet { files: loaded.files.clone(), ..WatchSet::default() };
    for path in paths {
        if path.is_dir() { set.dirs.push(path.clone()) } else { set.files.push(path.clone()) }
    }
    for stage in loaded.spec.processors.values() {
        match &stage.plugin {
            PluginSource::File(path) => set.files.push(path.clone()),
            PluginSource::Crate(folder) => set.crates.push(folder.clone()),
            PluginSource::Standard(_) => {}
        }
    }
    set
}

impl Generation {
    /// Before the first one.
    fn nothing() -> Generation {
        Generation { number: 0, spec: Default::default(), pipelines: Default::default(), digests: Default::default() }
    }
}

impl Prepared {
    pub(super) fn number(&self) -> u64 {
        self.generation.number
    }
}
