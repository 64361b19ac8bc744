//! What the sink counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::request::Read;
use crate::data::Signal;

/// The counters of one thread.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    bytes: AtomicU64,
    records: [AtomicU64; Signal::ALL.len()],
}

/// What a sink was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Of these, those that it refused because it was told to.
    pub refused_requests: u64,
    /// Those that were no OTLP.
    pub malformed_requests: u64,
    /// Bytes of all bodies, as they came.
    pub bytes: u64,
    /// Records of the requests that it took.
    pub records: u64,
    /// Of these, spans.
    pub spans: u64,
    /// Data points.
    pub metric_points: u64,
    /// Log records.
    pub log_records: u64,
}

impl Counters {
    /// Counts one request.
    pub fn note(&self, read: &Read, refused: bool) {
        let add = |counter: &AtomicU64, count: u64| counter.fetch_add(count, Ordering::Relaxed);
        add(&self.requests, 1);
        add(&self.bytes, read.bytes);
        match read.signal {
            Some(signal) if read.malformed.is_none() && !refused => {
                let [spans, metric_points, log_records] = &self.records;
                let records = match signal {
                    Signal::Traces => spans,
                    Signal::Metrics => metric_points,
                    Signal::Logs => log_records,
                };
                add(records, read.records);
            }
            _ if read.malformed.is_none() => drop(add(&self.refused, 1)),
            _ => drop(add(&self.malformed, 1)),
        }
    }

    /// What was counted so far.
    pub fn read(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [spans, metric_points, log_records] = &self.records;
        let (spans, metric_points, log_records) = (of(spans), of(metric_points), of(log_records));
        Counts {
            requests: of(&self.requests),
            refused_requests: of(&self.refused),
            malformed_requests: of(&self.malformed),
            bytes: of(&self.bytes),
            records: spans + metric_points + log_records,
            spans,
            metric_points,
            log_records,
        }
    }
}

impl Counts {
    /// Counts what another counted.
    pub fn add(&mut self, other: Counts) {
        self.requests += other.requests;
        self.refused_requests += other.refused_requests;
        self.malformed_requests += other.malformed_requests;
        self.bytes += other.bytes;
        self.records += other.records;
        self.spans += other.spans;
        self.metric_points += other.metric_points;
        self.log_records += other.log_records;
    }
}

/// What a sink was sent by some moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SinkReport {
    /// Seconds since it began.
    pub seconds: f64,
    /// Connections that are open.
    pub connections: usize,
    /// Since it began.
    #[serde(flatten)]
    pub counts: Counts,
    /// Since the report before, if there was one.
    #[serde(flatten)]
    pub rates: Option<Rates>,
}

/// How much of it came in a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rates {
    /// Requests.
    pub requests_per_s: f64,
    /// Records.
    pub records_per_s: f64,
    /// Megabytes (10⁶) of bodies.
    pub mb_per_s: f64,
}

impl SinkReport {
    /// With what came since an earlier report, a second.
    pub fn since(self, earlier: &SinkReport) -> SinkReport {
        let seconds = (self.seconds - earlier.seconds).max(1e-3);
        let per_s = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let (now, then) = (self.counts, earlier.counts);
        let rates = Rates {
            requests_per_s: per_s(now.requests, then.requests),
            records_per_s: per_s(now.records, then.records),
            mb_per_s: per_s(now.bytes, then.bytes) / 1e6,
        };
        SinkReport { rates: Some(rates), ..self }
    }
}

impl fmt::Display for SinkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { requests, records, refused_requests, malformed_requests, .. } = self.counts;
        write!(f, "{:8.1} s  {requests} requests, {records} records", self.seconds)?;
        if let Some(rates) = self.rates {
            let Rates { requests_per_s, records_per_s, mb_per_s } = rates;
            write!(f, "  {records_per_s:.0} records/s, {requests_per_s:.0} requests/s, {mb_per_s:.1} MB/s")?;
        }
        write!(f, "  {} connections", self.connections)?;
        if refused_requests + malformed_requests > 0 {
            write!(f, "; {refused_requests} refused, {malformed_requests} malformed")?;
        }
        Ok(())
    }
}
