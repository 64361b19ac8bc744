//! Reload: on a change of any file that a generation is built from, and on SIGHUP.
//!
//! The next generation is built and probed beside the running one. If that fails, nothing changes but the log, the
//! metrics and the status; the running one does not notice.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::rounds::Found;
use super::running::{Running, watch_set};
use super::{Signals, Told};
use crate::admin::status::ReloadOutcome;
use crate::config::{Loaded, Problems};
use crate::report;
use crate::supervise::ROUND;
use crate::watch::{Change, Watcher};

/// How long files must be quiet before a change of theirs is believed to be complete.
const QUIET: Duration = Duration::from_millis(100);

/// The watch over everything that generations are built from.
pub(super) struct Watch {
    watcher: Watcher,
    changes: mpsc::Receiver<Change>,
}

impl Watch {
    /// Begins to watch. To be called before the first generation is built: a plugin crate may take a minute, and what
    /// is saved in that time is a change too.
    pub(super) fn start(paths: &[PathBuf], loaded: &Loaded) -> Watch {
        let (watcher, changes) = Watcher::start(watch_set(paths, loaded), QUIET);
        Watch { watcher, changes }
    }
}

/// Serves and reloads until a signal says to end, or until nothing more can come.
pub(super) async fn until_told(mut running: Running, watch: Watch, signals: &mut Signals) -> Running {
    let Watch { watcher, mut changes } = watch;
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            told = signals.told() => match told {
                Told::End => {
                    tracing::info!("told to end; a second signal ends without waiting");
                    return running;
                }
                Told::Reload => tracing::info!("SIGHUP: reloading"),
            },
            _ = rounds.tick() => {
                if running.round() == Found::Lost {
                    tracing::error!("a data thread is gone: draining, and ending with a failure");
                    return running;
                }
                continue;
            }
            replay = running.replayed() => {
                running.note_told(replay);
                continue;
            }
            () = running.exhausted() => {
                running.round();
                tracing::info!("every replay is through, and nothing else is configured");
                return running;
            }
            Some(change) = changes.recv() => announce(&change),
        }
        tokio::select! {
            () = signals.ended() => {
                tracing::info!("told to end while reloading: the reload is given up");
                return running;
            }
            () = reload(&mut running, &watcher) => {}
        }
    }
}

fn announce(change: &Change) {
    let names: Vec<String> = change.paths.iter().map(|path| path.display().to_string()).collect();
    tracing::info!("changed: {}", names.join(", "));
    for path in &change.missing {
        tracing::warn!("{} is gone; what runs goes on", path.display());
    }
}

async fn reload(running: &mut Running, watcher: &Watcher) {
    let loaded = match load(running).await {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(running, problems.to_string()),
    };
    watcher.watch(watch_set(running.paths(), &loaded));
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    match running.prepare(&loaded).await {
        Ok(Some(prepared)) => {
            let number = prepared.number();
            running.swap(prepared);
            running.board().record_reload(ReloadOutcome::Applied, number, None);
            tracing::info!("generation {number} serves");
        }
        Ok(None) => {
            let number = running.generation().number;
            running.board().record_reload(ReloadOutcome::Unchanged, number, None);
            tracing::info!("nothing changed: generation {number} goes on");
        }
        Err(obstacle) => refuse(running, report::chain(&obstacle)),
    }
}

/// Reading may touch slow disks: not on the thread that answers signals.
async fn load(running: &Running) -> Result<Loaded, Problems> {
    let paths = running.paths().to_vec();
    match tokio::task::spawn_blocking(move || super::load(&paths)).await {
        Ok(loaded) => loaded,
        Err(_) => Err(Problems(Vec::new())),
    }
}

fn refuse(running: &Running, why: String) {
    let number = running.generation().number;
    tracing::error!("the change is not taken, generation {number} goes on: {why}");
    running.board().record_reload(ReloadOutcome::Refused, number, Some(why));
}
