//! What lies between a pipeline and a target: queue, batches, retries.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{AdaptiveBatchSpec, BatchSpec, OnExhausted, QueueSpec, RetrySpec};

use super::{at_least_one, durable, some_bytes, some_time};

/// How long a record waits for others if no time was typed, where a client waits with it.
const AWAITED_TIMEOUT: Duration = Duration::from_millis(5);

pub(super) fn queue(report: &mut Report, spot: &Spot, raw: raw::Queue) -> QueueSpec {
    match raw {
        raw::Queue::Bounded(raw::BoundedQueue { memory }) => {
            durable::not_durable(report, spot);
            QueueSpec::Memory { max_bytes: some_bytes(report, &spot.key("memory"), memory) }
        }
        raw::Queue::Memory => queue(report, spot, raw::Queue::Bounded(raw::BoundedQueue::default())),
        raw::Queue::Durable(raw) => QueueSpec::Durable(durable::durable(report, spot, &raw)),
        raw::Queue::None => QueueSpec::None,
    }
}

pub(super) fn batch(report: &mut Report, spot: &Spot, raw: &raw::Batch, queue: &QueueSpec) -> BatchSpec {
    let count = |records: u64| usize::try_from(records).unwrap_or(usize::MAX);
    let (mut min_records, max_records) = (count(raw.min_records), count(raw.max_records));
    if max_records > 0 && max_records < min_records {
        // The default gives way to a limit that was typed.
        if report.is_given(&spot.key("min_records")) {
            let what = format!("`max_records` is less than `min_records`, {min_records}");
            report.refuse(&spot.key("max_records"), what, Some("raise it, or lower `min_records`".to_owned()));
        }
        min_records = max_records;
    }
    let is_awaited = *queue == QueueSpec::None && !report.is_given(&spot.key("timeout"));
    BatchSpec {
        min_records,
        max_records,
        max_bytes: some_bytes(report, &spot.key("max_bytes"), raw.max_bytes),
        timeout: if is_awaited { AWAITED_TIMEOUT } else { raw.timeout.0 },
        adaptive: raw.adaptive.as_ref().map(|adaptive| self::adaptive(report, spot, adaptive)),
    }
}

fn adaptive(report: &mut Report, batch: &Spot, raw: &raw::AdaptiveBatch) -> AdaptiveBatchSpec {
    if report.is_given(&batch.key("min_records")) {
        let mend = Some("leave it out, or leave out `adaptive`".to_owned());
        report.refuse(&batch.key("min_records"), "`adaptive` chooses the size instead", mend);
    }
    let spot = batch.key("adaptive");
    if raw.max_records < raw.min_records {
        let key = if report.is_given(&spot.key("max_records")) { "max_records" } else { "min_records" };
        let what = format!("the smallest size, {}, is above the largest, {}", raw.min_records, raw.max_records);
        report.refuse(&spot.key(key), what, Some("raise `max_records`, or lower `min_records`".to_owned()));
    }
    let mut count = |key: &str, records: u64| {
        NonZeroUsize::new(at_least_one(report, &spot.key(key), records)).unwrap_or(NonZeroUsize::MIN)
    };
    let (min_records, max_records) = (count("min_records", raw.min_records), count("max_records", raw.max_records));
    AdaptiveBatchSpec { target: some_time(report, &spot.key("target"), raw.target), min_records, max_records }
}

pub(super) fn retry(report: &mut Report, spot: &Spot, raw: &raw::Retry, on_exhausted: OnExhausted) -> RetrySpec {
    if raw.max_interval.0 < raw.initial_interval.0 {
        let key = if report.is_given(&spot.key("max_interval")) { "max_interval" } else { "initial_interval" };
        let what =
            format!("the first wait, {}, is longer than the longest, {}", raw.initial_interval, raw.max_interval);
        report.refuse(&spot.key(key), what, Some("raise `max_interval`, or lower `initial_interval`".to_owned()));
    }
    RetrySpec {
        enabled: raw.enabled,
        initial_interval: some_time(report, &spot.key("initial_interval"), raw.initial_interval),
        max_interval: some_time(report, &spot.key("max_interval"), raw.max_interval),
        max_elapsed_time: raw.max_elapsed_time.0,
        on_exhausted,
    }
}
