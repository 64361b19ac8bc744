//! What a destination counts: handles taken once, one addition a batch.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::data::Signal;
use crate::exporter::{Failure, Outcome};
use crate::queue::Tallies;
use crate::telemetry::metrics::{AttemptLabels, ExporterLabels, LossLabels, Metrics, PerSignal};

/// Why records ended at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A record alone is over the limit of a request.
    TooLarge,
    /// The request could not be read when it had to be split.
    Malformed,
    /// The peer refused for good.
    RefusedByPeer,
    /// The peer was not reached in time.
    RetriesExhausted,
    /// The process ended first.
    Shutdown,
}

impl Loss {
    /// As in the metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Loss::TooLarge => "too_large",
            Loss::Malformed => "malformed",
            Loss::RefusedByPeer => "refused_by_peer",
            Loss::RetriesExhausted => "retries_exhausted",
            Loss::Shutdown => "shutdown",
        }
    }
}

/// One counter a signal.
#[derive(Debug)]
struct Counters([Counter; 3]);

impl Counters {
    fn new(family: &PerSignal<ExporterLabels>, labels: &ExporterLabels) -> Self {
        Counters(Signal::ALL.map(|signal| family.counter(signal, labels)))
    }

    fn add(&self, signal: Signal, records: u64) {
        let [traces, metrics, logs] = &self.0;
        let counter = match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        };
        counter.inc_by(records);
    }
}

/// The counters of one destination.
#[derive(Debug)]
pub struct Meter {
    exporter: String,
    metrics: Metrics,
    sent: Counters,
    send_failed: Counters,
    enqueue_failed: Counters,
    rejected: Counters,
    attempts_ok: Counter,
    attempts_partial: Counter,
    attempts_retryable: Counter,
    attempts_permanent: Counter,
    attempt_seconds: Histogram,
    queue_bytes: Gauge,
    queue_records: Gauge,
    recovered: Counters,
    kept: Counters,
}

impl Meter {
    /// The counters of exporter `id`, whose queue holds at most `capacity` bytes.
    pub fn new(id: &str, capacity: usize, metrics: &Metrics) -> Self {
        let labels = ExporterLabels { exporter: id.to_owned() };
        let attempts = |outcome| {
            let labels = AttemptLabels { exporter: id.to_owned(), outcome };
            metrics.exporter_attempts.get_or_create_owned(&labels)
        };
        metrics.exporter_queue_capacity.get_or_create_owned(&labels).set(i64::try_from(capacity).unwrap_or(i64::MAX));
        Meter {
            exporter: id.to_owned(),
            metrics: metrics.clone(),
            sent: Counters::new(&metrics.exporter_sent, &labels),
            send_failed: Counters::new(&metrics.exporter_send_failed, &labels),
            enqueue_failed: Counters::new(&metrics.exporter_enqueue_failed, &labels),
            rejected: Counters::new(&metrics.exporter_rejected, &labels),
            attempts_ok: attempts("ok"),
            attempts_partial: attempts("partial"),
            attempts_retryable: attempts("retryable"),
            attempts_permanent: attempts("permanent"),
            attempt_seconds: metrics.exporter_attempt_seconds.get_or_create_owned(&labels),
            queue_bytes: metrics.exporter_queue_size.get_or_create_owned(&labels),
            queue_records: metrics.exporter_queue_records.get_or_create_owned(&labels),
            recovered: Counters::new(&metrics.exporter_recovered, &labels),
            kept: Counters::new(&metrics.exporter_kept, &labels),
        }
    }

    /// The id of the exporter.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// A lane chose another size for its batches.
    pub fn sized(&self, records: usize) {
        let labels = ExporterLabels { exporter: self.exporter.clone() };
        self.metrics
            .exporter_batch_records
            .get_or_create_owned(&labels)
            .set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Records entered the queue.
    pub fn entered(&self, bytes: usize, records: u64) {
        self.queue_bytes.inc_by(bytes as i64);
        self.queue_records.inc_by(records as i64);
    }

    /// Records left the queue, whatever became of them.
    pub fn left(&self, bytes: usize, records: u64) {
        self.queue_bytes.dec_by(bytes as i64);
        self.queue_records.dec_by(records as i64);
    }

    /// A durable queue was opened with so much in it.
    pub fn recovered(&self, found: &Tallies) {
        found.iter().for_each(|(signal, tally)| self.recovered.add(signal, tally.records));
    }

    /// The durable queue was closed with so much in it.
    pub fn kept(&self, left: &Tallies) {
        left.iter().for_each(|(signal, tally)| self.kept.add(signal, tally.records));
    }

    /// The durable queue is not this process's any more, and nobody else shows what is in it.
    pub fn forget_queue(&self) {
        self.queue_bytes.set(0);
        self.queue_records.set(0);
    }

    /// Records found the queue full, or it could not be written.
    pub fn turned_away(&self, signal: Signal, records: u64) {
        self.enqueue_failed.add(signal, records);
    }

    /// An attempt ended.
    pub fn attempted(&self, took: Duration, result: &Result<Outcome, Failure>) {
        self.attempt_seconds.observe(took.as_secs_f64());
        let counter = match result {
            Ok(outcome) if outcome.rejected > 0 => &self.attempts_partial,
            Ok(_) => &self.attempts_ok,
            Err(Failure::Retryable { .. }) => &self.attempts_retryable,
            Err(Failure::Permanent { .. }) => &self.attempts_permanent,
        };
        counter.inc();
    }

    /// A batch was delivered; the peer rejected some of its records.
    pub fn delivered(&self, signal: Signal, records: u64, rejected: u64) {
        let rejected = rejected.min(records);
        self.sent.add(signal, records - rejected);
        self.rejected.add(signal, rejected);
    }

    /// A batch was given up.
    pub fn gave_up(&self, signal: Signal, records: u64) {
        self.send_failed.add(signal, records);
    }

    /// Records ended here.
    pub fn lost(&self, signal: Signal, records: u64, loss: Loss) {
        let labels = LossLabels { signal, component: self.exporter.clone(), reason: loss.reason() };
        self.metrics.dropped.get_or_create_owned(&labels).inc_by(records);
    }
}
