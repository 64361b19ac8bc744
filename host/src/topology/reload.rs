//! Reload: on a change of any file that a generation is built from, and on SIGHUP.
//!
//! The next generation is built and probed beside the running one. If that fails, nothing changes but the log, the
//! metrics and the status; the running one does not notice.

use std::time::Duration;

use super::running::{Running, watch_set};
use super::{Signals, Told};
use crate::admin::status::ReloadOutcome;
use crate::config::{Loaded, Problems};
use crate::report;
use crate::watch::{Change, WatchSet, Watcher};

/// How long files must be quiet before a change of theirs is believed to be complete.
const QUIET: Duration = Duration::from_millis(100);

/// Serves and reloads until a signal says to end, or until nothing more can come.
pub(super) async fn until_told(mut running: Running, set: WatchSet, signals: &mut Signals) -> Running {
    let (watcher, mut changes) = Watcher::start(set, QUIET);
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
            replay = running.replayed() => {
                running.note_told(replay);
                continue;
            }
            () = running.exhausted() => {
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
