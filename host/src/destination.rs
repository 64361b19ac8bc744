//! A destination: everything between the end of a pipeline and one target.
//!
//! ```text
//!  reserve ─► send ─► lane of the shard: queue ─► batch ─► deliveries ─► exporter
//!     │         │     (bytes of all lanes bounded together)   │
//!     Busy      Charge: taken when it is in the queue, or, without one, when it is delivered
//! ```
//!
//! A pipeline reserves at all its destinations before it sends to any, so that one that is full makes no
//! duplicates at the others (E33). Destinations outlive generations of pipelines: their queues survive a reload
//! that does not change them. The owner drains a destination; one that is just dropped still delivers what it has,
//! without a deadline. A network target has one lane a shard; a file and the console have one lane in all.

pub mod backoff;
pub mod balance;
pub mod batch;
mod build;
mod burial;
pub mod charge;
pub mod circuit;
pub mod delivery;
pub mod ends;
pub mod lane;
pub mod meter;
pub mod names;
pub mod queues;
pub mod room;
pub mod route;
pub mod sizer;
pub mod source;
pub mod stop;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::data::Payload;
use crate::dead_letter::DeadLetters;
use crate::queue::{Full, Place};
use crate::telemetry::metrics::Metrics;
use batch::Entry;
use charge::{Held, Writing};
use delivery::Answerable;
use meter::Meter;
use queues::{Left, Lent, Queues};
use room::Room;
use stop::{End, Phase, StopTx};

pub use charge::{Charge, Verdict};

/// What a client that finds the queue full is told to wait.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// How long past the deadline of a drain the lanes may take to write down what they give up.
const ACCOUNT_TIME: Duration = Duration::from_secs(1);

/// How long a durable queue may take to write down what was delivered. What it misses is delivered again.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// A running destination.
#[derive(Debug)]
pub struct Destination {
    id: String,
    way: Way,
    meter: Arc<Meter>,
    answerable: Answerable,
    endpoints: Vec<String>,
    stop: StopTx,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// How payloads get to the lanes.
#[derive(Debug)]
enum Way {
    /// In memory: each lane has a channel of its own.
    Lanes { room: Arc<Room>, lanes: Vec<mpsc::Sender<Entry>> },
    /// Through a log on disk that all lanes read.
    Log(Lent),
}

/// What destinations are built with; outlives them.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The data threads; at least one.
    pub shards: &'a [Handle],
    /// What everything is counted in.
    pub metrics: &'a Metrics,
    /// The durable queues of the process.
    pub queues: &'a Arc<Queues>,
    /// The dead-letter files of the process.
    pub dead_letters: &'a DeadLetters,
}

/// The destination cannot take a payload now; nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Its queue has no room.
    #[error("the queue of exporter `{exporter}` is full")]
    Full {
        /// The exporter's id.
        exporter: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// The disk of its queue does not take it.
    #[error("exporter `{exporter}` cannot take it: {full}")]
    Disk {
        /// The exporter's id.
        exporter: String,
        /// What the queue says.
        full: Full,
        /// When to come again.
        retry_after: Duration,
    },
    /// It is coming to its end.
    #[error("exporter `{exporter}` is shutting down")]
    Stopping {
        /// The exporter's id.
        exporter: String,
        /// When to come again.
        retry_after: Duration,
    },
}

impl Busy {
    /// When to come again.
    pub fn retry_after(&self) -> Duration {
        match self {
            Busy::Full { retry_after, .. } | Busy::Disk { retry_after, .. } | Busy::Stopping { retry_after, .. } => {
                *retry_after
            }
        }
    }
}

/// A place in a destination's queue, with the payload that will take it. Dropped, it gives the place back.
#[derive(Debug)]
#[must_use = "the payload is not taken before it is sent"]
pub struct Permit {
    place: PermittedPlace,
    payload: Payload,
}

#[derive(Debug)]
enum PermittedPlace {
    Lane { place: mpsc::OwnedPermit<Entry>, held: Held, answerable: Answerable },
    Log { place: Place, meter: Arc<Meter> },
}

impl Permit {
    /// Puts the payload in its place. The charge says when the destination answers for it.
    pub fn send(self) -> Charge {
        let Permit { place, payload } = self;
        match place {
            PermittedPlace::Log { place, meter } => {
                let (signal, records) = (payload.signal, payload.records);
                Charge::writing(Writing { written: place.append(payload), meter, signal, records })
            }
            PermittedPlace::Lane { place, held, answerable: Answerable::Sender } => {
                let (reply, charge) = Charge::pending();
                place.send(Entry { payload, share: held.answering(reply).share() });
                charge
            }
            PermittedPlace::Lane { place, held, .. } => {
                place.send(Entry { payload, share: held.share() });
                Charge::taken()
            }
        }
    }
}

impl Destination {
    /// Begins to deliver what lies in its durable queue; one in memory does so by itself. To be called when nothing
    /// can keep it from taking over any more.
    pub fn serve(&self) {
        self.stop.send_if_modified(|phase| {
            let begins = *phase == Phase::Prepared;
            if begins {
                *phase = Phase::Serving;
            }
            begins
        });
        if let Way::Log(lent) = &self.way {
            lent.serve();
        }
    }

    /// The id of its exporter.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The URLs that it sends to, as the metrics name them.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Bytes that it holds: queued, merged or being sent.
    pub fn held_bytes(&self) -> usize {
        match &self.way {
            Way::Lanes { room, .. } => room.used(),
            Way::Log(lent) => lent.queue.held().bytes as usize,
        }
    }

    /// Whether all its lanes and its queue run. If not while nobody drains it, the process is not healthy.
    pub fn is_running(&self) -> bool {
        if matches!(&self.way, Way::Log(lent) if !lent.queue.is_running()) {
            return false;
        }
        let tasks = self.tasks.lock();
        !tasks.is_empty() && tasks.iter().all(|task| !task.is_finished())
    }

    /// Reserves a place for `payload`, in the lane of `shard` or in the log of all; nothing is taken before
    /// [`Permit::send`].
    pub fn reserve(&self, shard: usize, payload: Payload) -> Result<Permit, Busy> {
        let place = match &self.way {
            Way::Lanes { room, lanes } => self.reserve_lane(room, lanes, shard, &payload),
            Way::Log(lent) => self.reserve_log(lent, &payload),
        };
        match place {
            Ok(place) => Ok(Permit { place, payload }),
            Err(busy) => {
                self.meter.turned_away(payload.signal, payload.records);
                Err(busy)
            }
        }
    }

    fn reserve_lane(
        &self,
        room: &Arc<Room>,
        lanes: &[mpsc::Sender<Entry>],
        shard: usize,
        payload: &Payload,
    ) -> Result<PermittedPlace, Busy> {
        let full = || Busy::Full { exporter: self.id.clone(), retry_after: BUSY_WAIT };
        let stopping = || Busy::Stopping { exporter: self.id.clone(), retry_after: BUSY_WAIT };
        let number = shard % lanes.len().max(1);
        let lane = lanes.get(number).ok_or_else(stopping)?;
        let held = room.hold(number, payload.bytes.len(), payload.records).ok_or_else(full)?;
        match lane.clone().try_reserve_owned() {
            Ok(place) => Ok(PermittedPlace::Lane { place, held, answerable: self.answerable }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(full()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(stopping()),
        }
    }

    fn reserve_log(&self, lent: &Lent, payload: &Payload) -> Result<PermittedPlace, Busy> {
        let (exporter, retry_after) = (|| self.id.clone(), BUSY_WAIT);
        match lent.queue.reserve(payload.bytes.len()) {
            Ok(place) => Ok(PermittedPlace::Log { place, meter: self.meter.clone() }),
            Err(Full::NoRoom) => Err(Busy::Full { exporter: exporter(), retry_after }),
            Err(Full::Closed) => Err(Busy::Stopping { exporter: exporter(), retry_after }),
            Err(full) => Err(Busy::Disk { exporter: exporter(), full, retry_after }),
        }
    }

    /// Reserves and sends at once: for a pipeline with one destination.
    pub fn offer(&self, shard: usize, payload: Payload) -> Result<Charge, Busy> {
        self.reserve(shard, payload).map(Permit::send)
    }

    /// Comes to an end: takes nothing more, sends what it holds, and by the deadline gives up the rest: what was only
    /// in memory is counted and logged (E4), what is in a durable queue stays there. Answers when all of it is
    /// accounted for, with what stays on disk, if anything does.
    pub async fn drain(&self, end: End) -> Option<Left> {
        self.stop.send_replace(Phase::Ending(end));
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let last = end.deadline + ACCOUNT_TIME;
        for mut task in tasks {
            match timeout_at(last, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(exporter = self.id, "a lane ended badly: {error}"),
                Err(_) => {
                    tracing::error!(exporter = self.id, "a lane did not end in time");
                    task.abort();
                }
            }
        }
        match &self.way {
            Way::Lanes { .. } => None,
            Way::Log(lent) => match timeout_at(last.max(Instant::now() + CLOSE_TIME), lent.give_back()).await {
                Ok(left) => left.filter(|left| left.records > 0),
                Err(_) => {
                    tracing::error!(exporter = self.id, "the disk of the queue hangs: not waited for any longer");
                    None
                }
            },
        }
    }
}
