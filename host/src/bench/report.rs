//! What a run of the generator came to: for people, and as JSON for scripts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Code;
use super::load::{Counts, LoadPlan, Rate, Tally, Used};
use crate::admin::process::Usage;

/// What a run came to. Rates and latencies are of the time after the warm-up.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// Where the requests went.
    pub target: String,
    /// Open loop: the rate that was asked for, in requests a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_requests_per_s: Option<f64>,
    /// Seconds that were measured.
    pub seconds: f64,
    /// What was measured.
    pub measured: Counts,
    /// All of the run, warm-up included: what a ledger has to agree with.
    pub total: Counts,
    /// Goodput: records that were accepted, a second.
    pub records_per_s: f64,
    /// Records that were sent, a second.
    pub offered_records_per_s: f64,
    /// Requests that were accepted, a second.
    pub requests_per_s: f64,
    /// Megabytes (10⁶) of requests a second, before compression.
    pub plain_mb_per_s: f64,
    /// The same as they travelled.
    pub sent_mb_per_s: f64,
    /// Latency of accepted requests.
    pub latency_ms: Latency,
    /// Requests that were due but never sent, as all connections were busy. Only in an open loop.
    pub unsent_requests: u64,
    /// Refusals and failures of the whole run, by code.
    pub errors: BTreeMap<Code, u64>,
    /// CPU time that the generator used, user and system, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// What the watched process used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessReport>,
}

/// Latency in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half of the requests were answered sooner.
    pub p50: f64,
    /// 90 % were.
    pub p90: f64,
    /// 99 % were.
    pub p99: f64,
    /// 99.9 % were.
    pub p99_9: f64,
    /// All were.
    pub max: f64,
}

/// What the process under test used while it was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProcessReport {
    /// CPU time, user and system, in seconds.
    pub cpu_s: f64,
    /// The same for a million accepted records: the figure that holds on a machine that others use too.
    pub cpu_s_per_million_records: f64,
    /// Resident memory at the end, in bytes.
    pub resident_bytes: f64,
    /// Most resident memory since the process began, in bytes.
    pub resident_peak_bytes: f64,
}

/// What was found out beside the requests.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// How long was measured.
    pub seconds: f64,
    /// Requests that were due but not sent.
    pub unsent: u64,
    /// What was used when the measurement began and when it ended.
    pub usage: [Used; 2],
}

impl LoadReport {
    /// Draws the sum.
    pub fn new(plan: &LoadPlan, tally: Tally, span: Span) -> LoadReport {
        let Tally { total, measured, errors, latency_us, .. } = tally;
        let per_s = |count: u64| if span.seconds > 0.0 { count as f64 / span.seconds } else { 0.0 };
        let at = |quantile: f64| latency_us.value_at_quantile(quantile) as f64 / 1000.0;
        let [before, after] = span.usage;
        LoadReport {
            target: plan.target.to_string(),
            asked_requests_per_s: match plan.rate {
                Rate::Closed => None,
                Rate::Open { requests_per_s } => Some(requests_per_s),
            },
            seconds: span.seconds,
            measured,
            total,
            records_per_s: per_s(measured.accepted_records),
            offered_records_per_s: per_s(measured.records),
            requests_per_s: per_s(measured.accepted_requests),
            plain_mb_per_s: per_s(measured.plain_bytes) / 1e6,
            sent_mb_per_s: per_s(measured.sent_bytes) / 1e6,
            latency_ms: Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p99_9: at(0.999), max: at(1.0) },
            unsent_requests: span.unsent,
            errors,
            cpu_s: before.own.zip(after.own).map(|(before, after)| after.cpu_s - before.cpu_s),
            process: before.watched.zip(after.watched).map(|both| ProcessReport::new(both, &measured)),
        }
    }
}

impl ProcessReport {
    fn new((before, after): (Usage, Usage), measured: &Counts) -> ProcessReport {
        let cpu_s = after.cpu_s - before.cpu_s;
        let millions = measured.accepted_records as f64 / 1e6;
        ProcessReport {
            cpu_s,
            cpu_s_per_million_records: if millions > 0.0 { cpu_s / millions } else { 0.0 },
            resident_bytes: after.resident_bytes,
            resident_peak_bytes: after.resident_peak_bytes,
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { requests, accepted_requests, refused_requests, failed_requests, .. } = self.measured;
        writeln!(f, "target      {}, measured for {:.1} s", self.target, self.seconds)?;
        write!(f, "requests    {requests} sent: {accepted_requests} accepted, ")?;
        writeln!(f, "{refused_requests} refused, {failed_requests} failed")?;
        write!(f, "goodput     {:.0} records/s, {:.0} requests/s", self.records_per_s, self.requests_per_s)?;
        writeln!(f, " (offered {:.0} records/s)", self.offered_records_per_s)?;
        write!(f, "bytes       {:.1} MB/s", self.plain_mb_per_s)?;
        writeln!(f, ", {:.1} MB/s as they travel", self.sent_mb_per_s)?;
        let Latency { p50, p90, p99, p99_9, max } = self.latency_ms;
        writeln!(f, "latency ms  p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p99_9:.2}  max {max:.2}")?;
        if self.measured.rejected_records > 0 {
            writeln!(f, "rejected    {} records, by requests that were accepted", self.measured.rejected_records)?;
        }
        if let Some(rate) = self.asked_requests_per_s {
            writeln!(f, "asked for   {rate:.0} requests/s; {} were due and not sent", self.unsent_requests)?;
        }
        for (code, count) in &self.errors {
            writeln!(f, "error       {count} × {code}")?;
        }
        if let Some(cpu_s) = self.cpu_s {
            writeln!(f, "generator   {cpu_s:.2} s of CPU")?;
        }
        if let Some(process) = &self.process {
            let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
            write!(f, "process     {:.2} s of CPU, ", process.cpu_s)?;
            write!(f, "{:.2} s a million records, ", process.cpu_s_per_million_records)?;
            let (now, peak) = (mib(process.resident_bytes), mib(process.resident_peak_bytes));
            writeln!(f, "{now:.0} MiB resident (peak {peak:.0})")?;
        }
        let Counts { requests, records, accepted_records, .. } = self.total;
        write!(f, "in all      {requests} requests, {records} records, {accepted_records} accepted, warm-up included")
    }
}
