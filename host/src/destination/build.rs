//! From a spec to a destination: exporters built, queue opened, lanes spawned.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::batch::Batcher;
use super::delivery::{Answerable, Courier};
use super::ends::Ends;
use super::lane::Lane;
use super::meter::Meter;
use super::names::{self, Names};
use super::room::{ENTRY_BYTES, Room};
use super::route::Route;
use super::sizer::Sizing;
use super::source::Source;
use super::stop::Stop;
use super::{Destination, Site, Way};
use crate::config::spec::{BatchSpec, DurableSpec, Encoding, ExporterSpec, QueueSpec, TargetSpec};
use crate::dead_letter::{DeadLetter, Limits};
use crate::exporter::{Access, BuildError};

/// Without a queue, clients wait for the delivery; so many bytes of theirs may wait together.
const UNQUEUED_BYTES_MAX: usize = 64 << 20;

/// How many times larger than its protobuf form a request is at most, by experience, when it is written as JSON.
/// Batches are limited as protobuf, and must be within the limit of a request as what they are sent as (E1).
const JSON_GROWTH: usize = 4;

impl Destination {
    /// Builds exporter `id` and spawns its lanes. What lies in a durable queue is not touched before
    /// [`Destination::serve`].
    ///
    /// # Errors
    /// What of the exporter cannot be built, its queue or its dead-letter file included.
    pub fn build(id: &str, spec: &ExporterSpec, site: Site<'_>) -> Result<Arc<Destination>, BuildError> {
        let (lane_count, in_flight_max) = lanes(&spec.target, site.shards.len());
        let shards = || site.shards.iter().take(lane_count);
        let access = Access::open(id, &spec.target, site.metrics)?;
        let ends = Arc::new(Ends::new(id, &spec.target, site.metrics));
        let mut routes = Vec::with_capacity(lane_count);
        for (number, shard) in shards().enumerate() {
            let _runtime = shard.enter();
            routes.push(Route::build(&spec.target, &access, Arc::clone(&ends), number)?);
        }
        let dead_letter = dead_letter(spec, site)?;
        // The queue last: it is locked from here on.
        let Supply { way, sources, meter, answerable } = Supply::new(id, spec, site, lane_count)?;
        let batch = batch(spec);
        let (stop_tx, stop) = Stop::channel();
        let run = |((shard, route), source): ((&Handle, Route), Source)| {
            let sizing = batch.adaptive.as_ref().map(|spec| Arc::new(Sizing::new(spec, meter.clone())));
            let batcher = Batcher::new(&batch, sizing.clone(), meter.clone());
            let courier = Courier {
                route,
                retry: spec.retry.clone(),
                answerable,
                dead_letter: dead_letter.clone(),
                sizing,
                meter: meter.clone(),
                stop: stop.clone(),
            };
            shard.spawn(Lane { source, batcher, courier, in_flight_max }.run())
        };
        let mut tasks: Vec<_> = shards().zip(routes).zip(sources).map(run).collect();
        if let (Some(names), Some(shard)) = (Names::of(&spec.target, &ends), shards().next()) {
            tasks.push(shard.spawn(names.watch(stop.clone(), names::system)));
        }
        let (id, endpoints, tasks) = (id.to_owned(), ends.names(), Mutex::new(tasks));
        Ok(Arc::new(Destination { id, way, meter, answerable, endpoints, stop: stop_tx, tasks }))
    }
}

/// A queue, and its ends for the lanes.
struct Supply {
    way: Way,
    sources: Vec<Source>,
    meter: Arc<Meter>,
    answerable: Answerable,
}

impl Supply {
    fn new(id: &str, spec: &ExporterSpec, site: Site<'_>, lanes: usize) -> Result<Supply, BuildError> {
        match &spec.queue {
            QueueSpec::Memory { max_bytes } => Ok(Supply::memory(id, *max_bytes, Answerable::Here, site, lanes)),
            QueueSpec::None => Ok(Supply::memory(id, UNQUEUED_BYTES_MAX, Answerable::Sender, site, lanes)),
            QueueSpec::Durable(durable) => Supply::log(id, durable, site, lanes),
        }
    }

    fn memory(id: &str, capacity: usize, answerable: Answerable, site: Site<'_>, lanes: usize) -> Supply {
        let meter = Arc::new(Meter::new(id, capacity, site.metrics));
        let room = Room::new(capacity, lanes, meter.clone());
        let places = (capacity / ENTRY_BYTES).saturating_add(1).min(Semaphore::MAX_PERMITS);
        let (lanes, sources) = (0..lanes).map(|_| mpsc::channel(places)).map(|(tx, rx)| (tx, Source::Lane(rx))).unzip();
        Supply { way: Way::Lanes { room, lanes }, sources, meter, answerable }
    }

    fn log(id: &str, spec: &DurableSpec, site: Site<'_>, lanes: usize) -> Result<Supply, BuildError> {
        let meter = Arc::new(Meter::new(id, spec.max_bytes as usize, site.metrics));
        let lent = site.queues.open(spec, &meter, site.metrics)?;
        let sources = (0..lanes).map(|_| Source::Log(lent.queue.clone())).collect();
        Ok(Supply { way: Way::Log(lent), sources, meter, answerable: Answerable::Log })
    }
}

/// How many lanes there are, and how many deliveries each may have under way.
fn lanes(target: &TargetSpec, shards: usize) -> (usize, usize) {
    match target {
        TargetSpec::OtlpGrpc(client) => (shards, client.max_in_flight.get()),
        TargetSpec::OtlpHttp(http) => (shards, http.client.max_in_flight.get()),
        TargetSpec::File(_) | TargetSpec::Debug(_) => (1, 1),
    }
}

fn batch(spec: &ExporterSpec) -> BatchSpec {
    match &spec.target {
        TargetSpec::OtlpHttp(http) if http.encoding == Encoding::Json => {
            BatchSpec { max_bytes: spec.batch.max_bytes / JSON_GROWTH, ..spec.batch.clone() }
        }
        _ => spec.batch.clone(),
    }
}

fn dead_letter(spec: &ExporterSpec, site: Site<'_>) -> Result<Option<DeadLetter>, BuildError> {
    let Some(file) = &spec.dead_letter else { return Ok(None) };
    let limits = Limits { max_bytes: file.max_bytes, max_backups: file.max_backups };
    site.dead_letters.open(&file.path, limits, site.metrics).map(Some)
}
