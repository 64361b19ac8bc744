//! The generator: sends requests that were made beforehand, and measures how they are answered.
//!
//! Two ways to pace it. *Closed loop*: each of N connections has M requests in flight and sends the next when one is
//! answered; it finds the most that the system takes. *Open loop*: requests are due at a fixed rate, whatever the
//! system does, and their latency counts from when they were due: a system that stalls is charged for every request
//! that had to wait, not only for the one that it stalled on (coordinated omission).
//!
//! A request that is refused (the client is asked to come again) is counted apart and not sent again: offered load
//! against goodput is what an overload test is about.

mod outcome;
mod pace;
mod plan;
mod tally;
mod target;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub use self::outcome::Answer;
pub use self::plan::{LoadPlan, Rate, Until};
pub use self::tally::{Counts, Tally};

use self::pace::Pace;
use self::target::Target;
use super::magazine::{Magazine, MagazineError};
use super::report::{LoadReport, Span};
use crate::admin::process::Usage;
use crate::exporter::BuildError;
use crate::shard::Shards;

/// How long a worker rests after a request that found no connection: a target that is gone must not be hammered.
const REST: Duration = Duration::from_millis(20);

/// How long the threads may take to end when the last request was answered.
const ENDING: Duration = Duration::from_secs(5);

/// The generator could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody listens.
    #[error("cannot connect to {address}: {why}; is it running?")]
    Connect {
        /// Host and port.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The target or its TLS settings cannot be used.
    #[error(transparent)]
    Target(#[from] BuildError),
    /// No request could be made.
    #[error(transparent)]
    Magazine(#[from] MagazineError),
    /// No thread could be started.
    #[error("cannot start a thread")]
    Threads(#[source] std::io::Error),
}

/// Sends what the plan says, until it is done or `stop` is true; requests in flight are waited for.
///
/// # Errors
/// Why it could not begin. What goes wrong later is in the report.
pub async fn run(plan: LoadPlan, stop: watch::Receiver<bool>) -> Result<LoadReport, LoadError> {
    target::reach(&plan).await?;
    let magazine = Arc::new(Magazine::fill(&plan.recipes, plan.transport, plan.compression)?);
    let shards = Shards::start(threads(&plan)).map_err(LoadError::Threads)?;
    let begin = Instant::now();
    let measured_from = begin + plan.warm_up;
    let (ending, ended) = watch::channel(false);
    let pace = Pace::start(&plan, begin, ended.clone());
    let budget = Arc::new(AtomicU64::new(match plan.until {
        Until::Requests(requests) => requests,
        Until::Elapsed(_) => u64::MAX,
    }));
    let mut workers = Vec::new();
    for connection in 0..plan.connections.get() {
        let target = Arc::new(Target::new(&plan)?);
        for _ in 0..plan.in_flight.get() {
            let worker = Worker {
                target: Arc::clone(&target),
                magazine: Arc::clone(&magazine),
                pace: pace.clone(),
                budget: Arc::clone(&budget),
                ended: ended.clone(),
                measured_from,
            };
            workers.push(shards.spawn_on(connection, "send requests", worker.run()));
        }
    }
    let finished = collect(workers);
    let watched = Watched { pid: plan.pid, measured_from };
    let clock = watched.watch(&plan, begin, stop, ending, finished);
    let (tally, usage) = clock.await;
    let unsent = pace.unsent();
    shards.shutdown(Instant::now() + ENDING).await;
    let last = tally.last_answer.unwrap_or(measured_from).max(measured_from);
    let span = Span { seconds: (last - measured_from).as_secs_f64(), unsent, usage };
    Ok(LoadReport::new(&plan, tally, span))
}

/// No more threads than connections, as a connection lives on one.
fn threads(plan: &LoadPlan) -> NonZeroUsize {
    plan.threads.min(plan.connections)
}

async fn collect(workers: Vec<tokio::task::JoinHandle<Tally>>) -> Tally {
    let mut sum = Tally::default();
    for worker in workers {
        match worker.await {
            Ok(tally) => sum.add(tally),
            Err(error) => tracing::error!(%error, "a part of the generator died; its requests are not in the report"),
        }
    }
    sum
}

/// What was used between the end of the warm-up and the end: by the generator, and by the process that it watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// By this process.
    pub own: Option<Usage>,
    /// By the process that was named.
    pub watched: Option<Usage>,
}

struct Watched {
    pid: Option<u32>,
    measured_from: Instant,
}

impl Watched {
    fn usage(&self) -> Used {
        Used { own: Usage::of("self"), watched: self.pid.and_then(|pid| Usage::of(&pid.to_string())) }
    }

    /// Waits for the end, whatever it comes from, and then for the answers that are still due.
    async fn watch(
        &self,
        plan: &LoadPlan,
        begin: Instant,
        mut stop: watch::Receiver<bool>,
        ending: watch::Sender<bool>,
        finished: impl Future<Output = Tally>,
    ) -> (Tally, [Used; 2]) {
        let mut before = self.usage();
        let mut finished = std::pin::pin!(finished);
        let warmed_up = tokio::time::sleep_until(self.measured_from);
        let over = async {
            warmed_up.await;
            before = self.usage();
            match plan.until {
                Until::Elapsed(duration) => tokio::time::sleep_until(begin + plan.warm_up + duration).await,
                Until::Requests(_) => std::future::pending().await,
            }
        };
        let tally = tokio::select! {
            tally = finished.as_mut() => Some(tally),
            () = over => None,
            // The sender is gone only if nobody can stop it any more.
            _ = stop.wait_for(|stop| *stop) => None,
        };
        ending.send_replace(true);
        let tally = match tally {
            Some(tally) => tally,
            None => finished.await,
        };
        (tally, [before, self.usage()])
    }
}

/// One request at a time, over and over.
struct Worker {
    target: Arc<Target>,
    magazine: Arc<Magazine>,
    pace: Pace,
    budget: Arc<AtomicU64>,
    ended: watch::Receiver<bool>,
    measured_from: Instant,
}

impl Worker {
    async fn run(self) -> Tally {
        let mut tally = Tally::default();
        while let Some(due) = self.next().await {
            let Some(shot) = self.magazine.next() else { break };
            let answer = self.target.send(shot).await;
            let now = Instant::now();
            tally.note(shot, answer, due >= self.measured_from, now.saturating_duration_since(due), now);
            if answer.is_lost() {
                tokio::time::sleep(REST).await;
            }
        }
        tally
    }

    /// When the next request is or was due; none if there is no next.
    async fn next(&self) -> Option<Instant> {
        if *self.ended.borrow() {
            return None;
        }
        let due = self.pace.next().await?;
        let take = |left: u64| left.checked_sub(1);
        self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(due)
    }
}
