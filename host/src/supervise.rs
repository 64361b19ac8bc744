//! Supervision: what becomes of the process when a part of it panics. Never half-dead: a part goes on, or the process
//! says on `/healthz` that it does not.
//!
//! | task | where | when it panics |
//! |---|---|---|
//! | accept loop of a listener | shard 0 | begins again on the same socket, after a pause |
//! | one connection | its shard | is closed; its client comes again, all others do not notice |
//! | one request | its shard | its stream or connection is reset; its client comes again |
//! | counting what a lost client sent | its shard | its records stay uncounted; logged |
//! | lane of a destination, or its durable queue | its shard, own thread | unhealthy, and clients are refused; what is in a durable queue stays there |
//! | replay | its shard | unhealthy, as records would be missing without a word |
//! | admin endpoint | control | begins again on the same socket, after a pause |
//! | one admin connection | control | is closed |
//! | end of an old generation | control | its destinations end by themselves; logged |
//! | watch of files | own thread | begins again, after a pause |
//! | rotation of certificates and credentials | control | begins again, after a pause |
//! | clock of plugin calls | own thread | begins again |
//! | shard, that is its thread | own thread | the process drains and ends with a failure: a part of every listener is gone |
//! | control (reload, signals, rounds) | main thread | the process ends with a failure |
//!
//! A shard that does not answer for [`SILENCE`] makes the process unhealthy for as long. A process that was unhealthy
//! at its end exits with a failure, so that whoever started it knows. Every panic is logged, and counted as
//! `sluicebox_task_panics_total`, apart from those of the watch, the rotation and the clock.

mod fault;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::time::{Instant, sleep};

pub use self::fault::{fault_point, faults};
use crate::telemetry::metrics::TaskLabels;

/// Time between two looks at everything that should be alive.
pub const ROUND: Duration = Duration::from_secs(1);

/// After how long a shard that does not answer counts as stuck. Longer than any plugin's deadline and any build of a
/// plugin; nothing else holds up a shard for seconds.
pub const SILENCE: Duration = Duration::from_secs(30);

/// First and longest pause before something begins again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// Something that ran for so long begins again after the first pause.
const STEADY: Duration = Duration::from_secs(60);

/// The count of panics, by task.
#[derive(Clone, Debug, Default)]
pub struct Panics(Family<TaskLabels, Counter>);

impl Panics {
    /// Counts in a family of metrics.
    pub fn new(family: Family<TaskLabels, Counter>) -> Panics {
        Panics(family)
    }

    /// Counts and logs one.
    pub fn note(&self, task: &'static str, panic: &(dyn Any + Send)) {
        self.0.get_or_create_owned(&TaskLabels { task }).inc();
        tracing::error!(task, "a task panicked: {}", message(panic));
    }

    /// Runs a future to its end; panics are noted and go on.
    pub async fn noted<F: Future>(&self, task: &'static str, future: F) -> F::Output {
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(output) => output,
            Err(panic) => {
                self.note(task, &*panic);
                std::panic::resume_unwind(panic)
            }
        }
    }

    /// Runs futures until one comes to an end; after a panic the next one begins, after a pause.
    pub async fn survived<F: Future>(&self, task: &'static str, mut begin: impl FnMut() -> F) -> F::Output {
        let mut pause = PAUSES.0;
        loop {
            let began = Instant::now();
            match AssertUnwindSafe(async { begin().await }).catch_unwind().await {
                Ok(output) => return output,
                Err(panic) => self.note(task, &*panic),
            }
            if began.elapsed() >= STEADY {
                pause = PAUSES.0;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Runs something on a thread of its own until it returns; after a panic again, after a pause.
pub fn survived_on_thread(task: &'static str, mut run: impl FnMut()) {
    let mut pause = PAUSES.0;
    while let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(&mut run)) {
        tracing::error!(task, "a thread panicked: {}", message(&*panic));
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}
