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
pub mod batch;
pub mod charge;
pub mod delivery;
pub mod lane;
pub mod meter;
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

use crate::config::spec::{BatchSpec, Encoding, ExporterSpec, QueueSpec, TargetSpec};
use crate::data::Payload;
use crate::exporter::{BuildError, Exporter};
use crate::telemetry::metrics::Metrics;
use batch::{Batcher, Entry};
use charge::{ENTRY_BYTES, Held, Room};
use delivery::{Answerable, Courier};
use lane::Lane;
use meter::Meter;
use stop::{Stop, StopTx};

pub use charge::{Charge, Verdict};

/// Without a queue, clients wait for the delivery; so many bytes of theirs may wait together.
const UNQUEUED_BYTES_MAX: usize = 64 << 20;

/// How many times larger than its protobuf form a request is at most, by experience, when it is written as JSON.
/// Batches are limited as protobuf, and must be within the limit of a request as what they are sent as (E1).
const JSON_GROWTH: usize = 4;

/// What a client that finds the queue full is told to wait.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// How long past the deadline of a drain the lanes may take to write down what they give up.
const ACCOUNT_TIME: Duration = Duration::from_secs(1);

/// A running destination.
#[derive(Debug)]
pub struct Destination {
    id: String,
    room: Arc<Room>,
    meter: Arc<Meter>,
    answerable: Answerable,
    lanes: Vec<mpsc::Sender<Entry>>,
    stop: StopTx,
    tasks: Mutex<Vec<JoinHandle<()>>>,
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
            Busy::Full { retry_after, .. } | Busy::Stopping { retry_after, .. } => *retry_after,
        }
    }
}

/// A place in a destination's queue, with the payload that will take it. Dropped, it gives the place back.
#[derive(Debug)]
#[must_use = "the payload is not taken before it is sent"]
pub struct Permit {
    place: mpsc::OwnedPermit<Entry>,
    payload: Payload,
    held: Held,
    answerable: Answerable,
}

impl Permit {
    /// Puts the payload in its place. Cannot fail; the charge says when the destination answers for it.
    pub fn send(self) -> Charge {
        let Permit { place, payload, mut held, answerable } = self;
        let charge = match answerable {
            Answerable::Here => Charge::taken(),
            Answerable::Sender => {
                let (reply, charge) = Charge::pending();
                held.reply_to(reply);
                charge
            }
        };
        place.send(Entry { payload, share: held.share() });
        charge
    }
}

impl Destination {
    /// Builds exporter `id` and starts its lanes on the shards; at least one handle is needed.
    pub fn start(
        id: &str,
        spec: &ExporterSpec,
        shards: &[Handle],
        metrics: &Metrics,
    ) -> Result<Arc<Destination>, BuildError> {
        let (capacity, answerable) = match &spec.queue {
            QueueSpec::Memory { max_bytes } => (*max_bytes, Answerable::Here),
            QueueSpec::Durable(queue) => {
                let why = "a durable queue is not served yet".to_owned();
                return Err(BuildError::File { path: queue.dir.clone(), why });
            }
            QueueSpec::None => (UNQUEUED_BYTES_MAX, Answerable::Sender),
        };
        let (lane_count, in_flight_max) = match &spec.target {
            TargetSpec::OtlpGrpc(client) => (shards.len(), client.max_in_flight.get()),
            TargetSpec::OtlpHttp(http) => (shards.len(), http.client.max_in_flight.get()),
            TargetSpec::File(_) | TargetSpec::Debug(_) => (1, 1),
        };
        let batch = match &spec.target {
            TargetSpec::OtlpHttp(http) if http.encoding == Encoding::Json => {
                BatchSpec { max_bytes: spec.batch.max_bytes / JSON_GROWTH, ..spec.batch.clone() }
            }
            _ => spec.batch.clone(),
        };
        let meter = Arc::new(Meter::new(id, capacity, metrics));
        let (stop_tx, stop) = Stop::channel();
        let places = (capacity / ENTRY_BYTES).saturating_add(1).min(tokio::sync::Semaphore::MAX_PERMITS);
        let mut lanes = Vec::with_capacity(lane_count);
        let mut ready = Vec::with_capacity(lane_count);
        for shard in shards.iter().take(lane_count) {
            let exporter = {
                let _runtime = shard.enter();
                Exporter::build(&spec.target)?
            };
            let (sender, entries) = mpsc::channel(places);
            let batcher = Batcher::new(&batch, meter.clone());
            let (retry, stop, meter) = (spec.retry.clone(), stop.clone(), meter.clone());
            let courier = Courier { exporter, retry, answerable, meter, stop };
            lanes.push(sender);
            ready.push((shard, Lane { entries, batcher, courier, in_flight_max }));
        }
        // Nothing runs before everything is built.
        let tasks = ready.into_iter().map(|(shard, lane)| shard.spawn(lane.run())).collect();
        let room = Room::new(capacity, meter.clone());
        let id = id.to_owned();
        Ok(Arc::new(Destination { id, room, meter, answerable, lanes, stop: stop_tx, tasks: Mutex::new(tasks) }))
    }

    /// The id of its exporter.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes that it holds: queued, merged or being sent.
    pub fn held_bytes(&self) -> usize {
        self.room.used()
    }

    /// Whether all its lanes run. If not while nobody drains it, the process is not healthy.
    pub fn is_running(&self) -> bool {
        !self.lanes.is_empty() && self.tasks.lock().iter().all(|task| !task.is_finished())
    }

    /// Reserves a place for `payload` in the lane of `shard`; nothing is taken before [`Permit::send`].
    pub fn reserve(&self, shard: usize, payload: Payload) -> Result<Permit, Busy> {
        let busy = |busy: fn(String, Duration) -> Busy| {
            self.meter.turned_away(payload.signal, payload.records);
            busy(self.id.clone(), BUSY_WAIT)
        };
        let full = |exporter, retry_after| Busy::Full { exporter, retry_after };
        let stopping = |exporter, retry_after| Busy::Stopping { exporter, retry_after };
        let Some(lane) = self.lanes.get(shard % self.lanes.len().max(1)) else { return Err(busy(stopping)) };
        let Some(held) = self.room.hold(payload.bytes.len(), payload.records) else { return Err(busy(full)) };
        match lane.clone().try_reserve_owned() {
            Ok(place) => Ok(Permit { place, payload, held, answerable: self.answerable }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(busy(full)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(busy(stopping)),
        }
    }

    /// Reserves and sends at once: for a pipeline with one destination.
    pub fn offer(&self, shard: usize, payload: Payload) -> Result<Charge, Busy> {
        self.reserve(shard, payload).map(Permit::send)
    }

    /// Comes to an end: takes nothing more, sends what it holds, and by `deadline` gives up the rest, counted and
    /// logged (E4). Answers when all of it is accounted for.
    pub async fn drain(&self, deadline: Instant) {
        self.stop.send_replace(Some(deadline));
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let end = deadline + ACCOUNT_TIME;
        for mut task in tasks {
            match timeout_at(end, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(exporter = self.id, "a lane ended badly: {error}"),
                Err(_) => {
                    tracing::error!(exporter = self.id, "a lane did not end in time");
                    task.abort();
                }
            }
        }
    }
}
