//! What one listener or replay counts, as handles that were taken when it was built.

use prometheus_client::metrics::counter::Counter;

use super::records;
use crate::data::Signal;
use crate::data::intake::{Receipt, Refusal};
use crate::telemetry::metrics::{LimitLabels, Metrics, ReceiverLabels, RequestLabels};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every record was taken.
    Ok,
    /// Some records were rejected for good.
    Partial,
    /// It was no request of its signal, or could not be decompressed.
    Malformed,
    /// It was over a size limit.
    TooLarge,
    /// A path, method, media type, encoding or signal that is not served here.
    Unsupported,
    /// Not now.
    Busy,
    /// The client was too slow, or its deadline passed.
    Timeout,
    /// It showed no credential that is known.
    Unauthenticated,
}

impl Outcome {
    const ALL: [(Outcome, &'static str); 8] = [
        (Outcome::Ok, "ok"),
        (Outcome::Partial, "partial"),
        (Outcome::Malformed, "malformed"),
        (Outcome::TooLarge, "too_large"),
        (Outcome::Unsupported, "unsupported"),
        (Outcome::Busy, "busy"),
        (Outcome::Timeout, "timeout"),
        (Outcome::Unauthenticated, "unauthenticated"),
    ];

    /// How a request ended that the intake took.
    pub fn of(receipt: &Receipt) -> Outcome {
        if receipt.rejected == 0 { Outcome::Ok } else { Outcome::Partial }
    }

    /// How a request ended that the intake refused.
    pub fn refused(refusal: &Refusal) -> Outcome {
        match refusal {
            Refusal::Malformed(_) => Outcome::Malformed,
            Refusal::TooLarge(_) => Outcome::TooLarge,
            Refusal::NoPipeline(_) => Outcome::Unsupported,
            Refusal::Busy { .. } => Outcome::Busy,
        }
    }
}

/// A limit of a listener that somebody crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The soft limit of memory.
    MemorySoft,
    /// The hard limit of memory.
    MemoryHard,
    /// The hard limit of memory, by the process as a whole.
    MemoryResident,
    /// `max_in_flight_bytes`.
    InFlight,
    /// `requests_per_second`.
    RequestRate,
    /// `records_per_second`.
    RecordRate,
    /// `max_connections`: a connection had to wait.
    Connections,
    /// `max_header_bytes`, or what HTTP/1.1 allows.
    Headers,
    /// What HTTP/2 allows a client to do that only costs: `max_pending_resets`, floods of frames.
    Flood,
    /// `timeouts.head`.
    Head,
    /// `timeouts.body`.
    Body,
    /// `timeouts.keep_alive`.
    KeepAlive,
    /// What the operating system gives: a connection could not be accepted, as when no file descriptor is left.
    Accept,
}

impl Limit {
    const ALL: [(Limit, &'static str); 13] = [
        (Limit::MemorySoft, "memory_soft"),
        (Limit::MemoryHard, "memory_hard"),
        (Limit::MemoryResident, "memory_resident"),
        (Limit::InFlight, "max_in_flight_bytes"),
        (Limit::RequestRate, "requests_per_second"),
        (Limit::RecordRate, "records_per_second"),
        (Limit::Connections, "max_connections"),
        (Limit::Headers, "max_header_bytes"),
        (Limit::Flood, "max_pending_resets"),
        (Limit::Head, "timeouts.head"),
        (Limit::Body, "timeouts.body"),
        (Limit::KeepAlive, "timeouts.keep_alive"),
        (Limit::Accept, "accept"),
    ];
}

/// The counters of one receiver and transport.
#[derive(Clone, Debug)]
pub struct Meter {
    /// In the order of [`Outcome::ALL`], which is the enum's.
    requests: [Counter; 8],
    /// In the order of [`Limit::ALL`], which is the enum's.
    limits: [Counter; 13],
    traces: PerRecord,
    metrics: PerRecord,
    logs: PerRecord,
}

#[derive(Clone, Debug)]
struct PerRecord {
    accepted: Counter,
    refused: Counter,
    rejected: Counter,
}

impl Meter {
    /// Takes the handles of receiver `receiver`; `transport` is `grpc`, `http` or `file`.
    pub fn new(metrics: &Metrics, receiver: &str, transport: &'static str) -> Meter {
        let labels = ReceiverLabels { receiver: receiver.to_owned(), transport };
        let per_record = |signal| PerRecord {
            accepted: metrics.receiver_accepted.counter(signal, &labels),
            refused: metrics.receiver_refused.counter(signal, &labels),
            rejected: metrics.receiver_rejected.counter(signal, &labels),
        };
        Meter {
            requests: Outcome::ALL.map(|(_, outcome)| {
                let labels = RequestLabels { receiver: receiver.to_owned(), transport, outcome };
                metrics.receiver_requests.get_or_create_owned(&labels)
            }),
            limits: Limit::ALL.map(|(_, limit)| {
                let labels = LimitLabels { receiver: receiver.to_owned(), transport, limit };
                metrics.receiver_limits.get_or_create_owned(&labels)
            }),
            traces: per_record(Signal::Traces),
            metrics: per_record(Signal::Metrics),
            logs: per_record(Signal::Logs),
        }
    }

    fn per_record(&self, signal: Signal) -> &PerRecord {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    /// Counts a request, by how it ended: once for each.
    pub fn ended(&self, outcome: Outcome) {
        if let Some(counter) = self.requests.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Counts that a limit was crossed.
    pub fn limited(&self, limit: Limit) {
        if let Some(counter) = self.limits.get(limit as usize) {
            counter.inc();
        }
    }

    /// Counts the records of a request that the intake took.
    pub fn taken(&self, signal: Signal, receipt: &Receipt) {
        let records = self.per_record(signal);
        records.accepted.inc_by(receipt.accepted);
        records.rejected.inc_by(receipt.rejected);
    }

    /// Counts the records of a request that the intake refused, where the client was told to come again.
    pub fn refused(&self, signal: Signal, refusal: &Refusal, request: &[u8]) {
        if let Refusal::Busy { .. } = refusal {
            self.per_record(signal).refused.inc_by(records::count(signal, request));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_and_limits_are_listed_in_the_order_of_their_enums() {
        for (index, (outcome, _)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        for (index, (limit, _)) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index);
        }
    }
}
