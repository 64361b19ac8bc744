//! What a durable queue counts: handles taken once.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::tally::{Tallies, Tally};
use crate::telemetry::metrics::{ExporterLabels, LossLabels, Metrics, QueueFailureLabels};

/// What could not be done to the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writing frames, or beginning a segment.
    Write,
    /// Bringing them to the disk.
    Sync,
    /// Reading them back.
    Read,
    /// Writing the cursor.
    Cursor,
    /// Removing what is delivered.
    Remove,
}

/// Why entries left the queue without being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// They were older than `max_age`.
    Expired,
    /// They could not be read.
    Damaged,
}

/// The counters of one queue.
///
/// The queue keeps the gauges of what waits itself, those that all queues have, too: it alone knows what was found
/// at the start, what expired, and what could not be read.
#[derive(Debug)]
pub struct Meter {
    exporter: String,
    metrics: Metrics,
    bytes: Gauge,
    records: Gauge,
    entries: Gauge,
    disk_bytes: Gauge,
    segments: Gauge,
    oldest_seconds: Gauge,
    syncs: Counter,
    commit_seconds: Histogram,
    quarantined: Counter,
    quarantined_bytes: Counter,
}

impl Meter {
    /// The counters of the queue of exporter `id`, which holds at most `capacity` bytes.
    pub fn new(id: &str, capacity: u64, metrics: &Metrics) -> Self {
        let labels = ExporterLabels { exporter: id.to_owned() };
        metrics.exporter_queue_capacity.get_or_create_owned(&labels).set(signed(capacity));
        Meter {
            exporter: id.to_owned(),
            metrics: metrics.clone(),
            bytes: metrics.exporter_queue_size.get_or_create_owned(&labels),
            records: metrics.exporter_queue_records.get_or_create_owned(&labels),
            entries: metrics.queue_entries.get_or_create_owned(&labels),
            disk_bytes: metrics.queue_disk_bytes.get_or_create_owned(&labels),
            segments: metrics.queue_segments.get_or_create_owned(&labels),
            oldest_seconds: metrics.queue_oldest_seconds.get_or_create_owned(&labels),
            syncs: metrics.queue_syncs.get_or_create_owned(&labels),
            commit_seconds: metrics.queue_commit_seconds.get_or_create_owned(&labels),
            quarantined: metrics.queue_quarantined.get_or_create_owned(&labels),
            quarantined_bytes: metrics.queue_quarantined_bytes.get_or_create_owned(&labels),
        }
    }

    /// The id of the exporter.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// This is what waits, and what it takes on the disk.
    pub fn holds(&self, held: Tally, disk_bytes: u64, segments: usize) {
        self.bytes.set(signed(held.bytes));
        self.records.set(signed(held.records));
        self.entries.set(signed(held.entries));
        self.disk_bytes.set(signed(disk_bytes));
        self.segments.set(segments as i64);
    }

    /// The age of the oldest entry.
    pub fn oldest(&self, age: Duration) {
        self.oldest_seconds.set(signed(age.as_secs()));
    }

    /// A group of entries was written, and synced if that is asked for.
    pub fn committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// The disk was asked to keep what was written.
    pub fn synced(&self) {
        self.syncs.inc();
    }

    /// Something could not be done.
    pub fn failed(&self, act: Act) {
        let act = match act {
            Act::Write => "write",
            Act::Sync => "sync",
            Act::Read => "read",
            Act::Cursor => "cursor",
            Act::Remove => "remove",
        };
        let labels = QueueFailureLabels { exporter: self.exporter.clone(), act };
        self.metrics.queue_failures.get_or_create_owned(&labels).inc();
    }

    /// Bytes that are no sound frame were met.
    pub fn damaged(&self, bytes: u64) {
        self.quarantined.inc();
        self.quarantined_bytes.inc_by(bytes);
    }

    /// Records left the queue without being delivered. Says so in the log.
    pub fn lost(&self, loss: Loss, tallies: &Tallies) {
        let reason = match loss {
            Loss::Expired => "expired",
            Loss::Damaged => "damaged",
        };
        let Tally { entries, records, .. } = tallies.total();
        if entries > 0 {
            let exporter = self.exporter();
            tracing::error!(exporter, entries, records, reason, "entries of the queue were dropped undelivered");
        }
        for (signal, tally) in tallies.iter().filter(|(_, tally)| tally.records > 0) {
            let labels = LossLabels { signal, component: self.exporter.clone(), reason };
            self.metrics.dropped.get_or_create_owned(&labels).inc_by(tally.records);
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
