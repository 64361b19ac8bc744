//! The round over everything that should be alive: once a second, on the control side.

use super::destinations::Destinations;
use super::receivers::Receivers;
use crate::admin::Board;
use crate::admin::status::DeadTask;
use crate::shard::Shards;
use crate::supervise::SILENCE;

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Everything serves, or what does not is on the board.
    Serving,
    /// A part of every listener is gone: the process has to end.
    Lost,
}

/// Looks at everything, and writes on the board what is dead.
pub(super) fn round(shards: &Shards, destinations: &Destinations, receivers: &Receivers, board: &Board) -> Found {
    let dead = shards.dead();
    let mut found = Vec::new();
    let mut tell = |task: String, reason: &str| found.push(DeadTask { task, reason: reason.to_owned() });
    for shard in &dead {
        tell(format!("shard-{shard}"), "its thread has ended; the process ends too");
    }
    for shard in shards.silent(SILENCE).iter().filter(|shard| !dead.contains(shard)) {
        tell(format!("shard-{shard}"), "it has not answered for a while");
    }
    for destination in destinations.all().iter().filter(|destination| !destination.is_running()) {
        tell(format!("exporter {}", destination.id()), "a lane or its queue has ended; what it holds is not delivered");
    }
    for replay in receivers.dead() {
        tell(format!("receiver {replay}"), "it ended before it was through");
    }
    board.found_dead(found);
    if dead.is_empty() { Found::Serving } else { Found::Lost }
}
