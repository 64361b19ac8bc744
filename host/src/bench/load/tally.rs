//! What a worker counts, summed up in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use super::outcome::Answer;
use crate::bench::Code;
use crate::bench::magazine::Shot;

/// The longest latency that is told apart from longer ones, in microseconds: ten minutes.
const LATENCY_MAX_US: u64 = 600_000_000;

/// Requests and records, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that were sent.
    pub requests: u64,
    /// Of these, those that were taken.
    pub accepted_requests: u64,
    /// Those that were refused: come again.
    pub refused_requests: u64,
    /// Those that failed in any other way.
    pub failed_requests: u64,
    /// Records that were sent.
    pub records: u64,
    /// Records that were taken.
    pub accepted_records: u64,
    /// Records that were rejected by requests that were taken (`partial_success`).
    pub rejected_records: u64,
    /// Bytes of all requests before framing and compression.
    pub plain_bytes: u64,
    /// Bytes of all requests as they travelled, without HTTP's own.
    pub sent_bytes: u64,
}

impl Counts {
    fn note(&mut self, shot: &Shot, answer: Answer) {
        self.requests += 1;
        self.records += shot.records;
        self.plain_bytes += shot.plain_bytes;
        self.sent_bytes += shot.body.len() as u64;
        match answer {
            Answer::Accepted { rejected } => {
                self.accepted_requests += 1;
                self.rejected_records += rejected.min(shot.records);
                self.accepted_records += shot.records.saturating_sub(rejected);
            }
            Answer::Failed(code) if code.is_refusal() => self.refused_requests += 1,
            Answer::Failed(_) => self.failed_requests += 1,
        }
    }

    fn add(&mut self, other: Counts) {
        self.requests += other.requests;
        self.accepted_requests += other.accepted_requests;
        self.refused_requests += other.refused_requests;
        self.failed_requests += other.failed_requests;
        self.records += other.records;
        self.accepted_records += other.accepted_records;
        self.rejected_records += other.rejected_records;
        self.plain_bytes += other.plain_bytes;
        self.sent_bytes += other.sent_bytes;
    }
}

/// All that is counted.
#[derive(Debug)]
pub struct Tally {
    /// Of the whole run.
    pub total: Counts,
    /// Of what was due after the warm-up.
    pub measured: Counts,
    /// Failures of the whole run.
    pub errors: BTreeMap<Code, u64>,
    /// From when a request was due to its answer, in microseconds; of measured requests that were accepted.
    pub latency_us: Histogram<u64>,
    /// When the last answer came.
    pub last_answer: Option<Instant>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency_us = Histogram::new_with_max(LATENCY_MAX_US, 3).expect("three digits up to ten minutes are fine");
        Tally {
            total: Counts::default(),
            measured: Counts::default(),
            errors: BTreeMap::new(),
            latency_us,
            last_answer: None,
        }
    }
}

impl Tally {
    /// Counts one request.
    pub fn note(&mut self, shot: &Shot, answer: Answer, measured: bool, took: Duration, now: Instant) {
        self.total.note(shot, answer);
        self.last_answer = self.last_answer.max(Some(now));
        if let Answer::Failed(code) = answer {
            *self.errors.entry(code).or_default() += 1;
        }
        if measured {
            self.measured.note(shot, answer);
            if matches!(answer, Answer::Accepted { .. }) {
                let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.latency_us.saturating_record(us);
            }
        }
    }

    /// Counts what another counted.
    pub fn add(&mut self, other: Tally) {
        self.total.add(other.total);
        self.measured.add(other.measured);
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.last_answer = self.last_answer.max(other.last_answer);
        // Both have the same bounds, so that everything fits.
        if let Err(error) = self.latency_us.add(&other.latency_us) {
            tracing::error!(%error, "latencies of a worker are missing");
        }
    }
}
