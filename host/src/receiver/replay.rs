//! `replay`: reads OTLP files as if a client sent them, at a set rate, once or again and again.
//!
//! Files are read, inflated and decoded on a thread of their own, a few requests ahead; one task on a shard hands them
//! to the intake, one after the other. What the intake refuses for now is handed over again when it says so; what is
//! malformed is logged with its place, counted, and left out.

mod frames;
mod lines;
mod source;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

pub use self::source::ReplayError;
use super::meter::{Meter, Outcome};
use crate::config::spec::{ReplayMode, ReplaySpec};
use crate::data::Signal;
use crate::data::intake::{Intake, Receipt, Refusal, Request};
use crate::memory::{self, Kind, Memory};
use crate::shard::Shards;
use crate::supervise::fault_point;
use crate::telemetry::metrics::Metrics;

/// Requests that are read ahead.
const READ_AHEAD: usize = 4;

/// Places that are logged; further ones are only counted.
const LOGGED_MAX: u64 = 100;

/// The shortest wait before a refused request is handed over again.
const RETRY_MIN: Duration = Duration::from_millis(1);

/// A rate is caught up with after a pause of up to this.
const BURST_MAX: Duration = Duration::from_secs(1);

/// A replay that runs.
pub struct Replay {
    intake: Arc<ArcSwap<Arc<dyn Intake>>>,
    stop: watch::Sender<bool>,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<()>,
}

/// What a replay has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Requests that were taken.
    pub requests: u64,
    /// Their records that were accepted.
    pub accepted: u64,
    /// Their records that were rejected for good.
    pub rejected: u64,
    /// Requests that were left out: malformed, too large, or of a signal that no pipeline takes.
    pub left_out: u64,
    /// Whether there is nothing more to come.
    pub done: bool,
}

/// One request of a file, or why it is none.
struct Item {
    /// `file:line`, or `file, message 3`.
    place: String,
    content: Result<(Signal, Bytes), Refusal>,
}

/// Where items go; `Break` when nobody wants more.
type Sink<'a> = dyn FnMut(Item) -> ControlFlow<()> + 'a;

impl Replay {
    /// Whether the files are there.
    pub fn check(spec: &ReplaySpec) -> Result<(), ReplayError> {
        source::files(&spec.paths).map(drop)
    }

    /// Finds the files, and begins to hand them over on a shard.
    pub fn start(
        receiver: &str,
        spec: &ReplaySpec,
        intake: Arc<dyn Intake>,
        memory: &Memory,
        metrics: &Metrics,
        shards: &Shards,
        shard: usize,
    ) -> Result<Replay, ReplayError> {
        // So that a mistake is reported here; they are looked for again with each pass.
        source::files(&spec.paths)?;
        let intake = Arc::new(ArcSwap::from_pointee(intake));
        let (stop, told_to_stop) = watch::channel(false);
        let (report, progress) = watch::channel(Progress::default());
        let player = Player {
            spec: spec.clone(),
            intake: Arc::clone(&intake),
            memory: memory.clone(),
            meter: Meter::new(metrics, receiver, "file"),
            shard: shard % shards.len(),
            told_to_stop,
            report,
        };
        let task = shards.spawn_on(shard, "replay", player.play());
        Ok(Replay { intake, stop, progress, task })
    }

    /// Exchanges whom requests are handed to, from the next one on.
    pub fn rewire(&self, intake: Arc<dyn Intake>) {
        self.intake.store(Arc::new(intake));
    }

    /// What it has done so far.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Whether it ended without being through: records are missing.
    pub fn is_dead(&self) -> bool {
        self.task.is_finished() && !self.progress().done
    }

    /// Waits until all is handed over, which in a loop it never is.
    pub async fn finished(&self) -> Progress {
        let mut progress = self.progress.clone();
        // An error means that the task is gone: what it did last is what it did.
        let _ = progress.wait_for(|progress| progress.done).await;
        self.progress()
    }

    /// Stops after the request that is under way, at the latest at `deadline`.
    pub async fn drain(mut self, deadline: Instant) -> Progress {
        self.stop.send_replace(true);
        if timeout_at(deadline, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.progress()
    }
}

/// The task that hands requests over.
struct Player {
    spec: ReplaySpec,
    intake: Arc<ArcSwap<Arc<dyn Intake>>>,
    memory: Memory,
    meter: Meter,
    shard: usize,
    told_to_stop: watch::Receiver<bool>,
    report: watch::Sender<Progress>,
}

impl Player {
    async fn play(mut self) {
        let (items_tx, mut items) = mpsc::channel(READ_AHEAD);
        let spec = self.spec.clone();
        let reading = spawn_blocking(move || read(&spec, &mut |item| sent(&items_tx, item)));
        let mut schedule = Schedule::new(self.spec.rate);
        while let Some(Some(item)) = self.unless_stopped(items.recv()).await {
            let due = schedule.next();
            if self.unless_stopped(sleep_until(due)).await.is_none() {
                break;
            }
            fault_point("replay");
            self.hand_over(item).await;
        }
        // The reader ends when nobody takes its items.
        drop(items);
        if let Err(error) = reading.await {
            tracing::error!(%error, "the reader of replayed files failed");
        }
        self.report.send_modify(|progress| progress.done = true);
    }

    /// The future's outcome; none when the replay was told to stop.
    async fn unless_stopped<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.told_to_stop.wait_for(|stop| *stop) => None,
            outcome = future => Some(outcome),
        }
    }

    async fn hand_over(&mut self, item: Item) {
        let (signal, bytes) = match item.content {
            Ok(content) => content,
            Err(refusal) => return self.leave_out(&item.place, &refusal),
        };
        loop {
            match self.take(signal, bytes.clone()).await {
                Ok(receipt) => {
                    self.meter.ended(Outcome::of(&receipt));
                    self.meter.taken(signal, &receipt);
                    return self.report.send_modify(|progress| {
                        progress.requests += 1;
                        progress.accepted += receipt.accepted;
                        progress.rejected += receipt.rejected;
                    });
                }
                Err(Refusal::Busy { reason, retry_after }) => {
                    let refusal = Refusal::Busy { reason, retry_after };
                    self.meter.ended(Outcome::refused(&refusal));
                    self.meter.refused(signal, &refusal, &bytes);
                    if self.unless_stopped(sleep(retry_after.max(RETRY_MIN))).await.is_none() {
                        return;
                    }
                }
                Err(refusal) => return self.leave_out(&item.place, &refusal),
            }
        }
    }

    /// Hands a request over, if there is memory for it.
    async fn take(&self, signal: Signal, bytes: Bytes) -> Result<Receipt, Refusal> {
        let lease = self.memory.admit().and_then(|()| self.memory.lease_of(Kind::Requests, bytes.len()));
        let lease =
            lease.map_err(|short| Refusal::Busy { reason: short.to_string(), retry_after: memory::RETRY_AFTER })?;
        let request = Request { signal, bytes: lease.keep(bytes, Kind::Requests), shard: self.shard };
        self.intake.load_full().take(request).await
    }

    fn leave_out(&mut self, place: &str, refusal: &Refusal) {
        self.meter.ended(Outcome::refused(refusal));
        self.report.send_modify(|progress| progress.left_out += 1);
        match self.report.borrow().left_out {
            left_out if left_out < LOGGED_MAX => tracing::warn!(place, reason = %refusal, "left out of the replay"),
            LOGGED_MAX => tracing::warn!(place, reason = %refusal, "left out of the replay; more are only counted"),
            _ => {}
        }
    }
}

fn sent(items: &mpsc::Sender<Item>, item: Item) -> ControlFlow<()> {
    match items.blocking_send(item) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Reads all files, once or until nobody wants more. A file that cannot be read is an item too.
fn read(spec: &ReplaySpec, sink: &mut Sink<'_>) {
    loop {
        let mut found = false;
        let mut counting = |item: Item| {
            found |= item.content.is_ok();
            sink(item)
        };
        let ended = match source::files(&spec.paths) {
            Ok(files) => files.iter().try_for_each(|file| file.read(&spec.limits, &mut counting)),
            Err(error) => {
                let content = Err(Refusal::Malformed(error.to_string()));
                counting(Item { place: "replay".to_owned(), content })
            }
        };
        // A pass without a single request would be followed by many, with nothing to slow them down.
        if ended.is_break() || !found || spec.mode == ReplayMode::Once {
            return;
        }
    }
}

/// When requests are due.
struct Schedule {
    every: Option<Duration>,
    next: Instant,
}

impl Schedule {
    fn new(rate: Option<f64>) -> Schedule {
        let every = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Schedule { every, next: Instant::now() }
    }

    /// When the next request is due. Requests that could not be handed over in time are caught up with, if they are
    /// not too many.
    fn next(&mut self) -> Instant {
        let now = Instant::now();
        let Some(every) = self.every else { return now };
        let due = self.next.max(now.checked_sub(BURST_MAX).unwrap_or(now));
        self.next = due.checked_add(every).unwrap_or(due);
        due
    }
}
