//! What `/status` says, as types. Fields are added, never renamed: people's scripts read them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::data::Signal;
use crate::destination::queues::Left;
use crate::memory::MemoryStatus;

/// The whole answer of `/status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Sluicebox's version.
    pub version: String,
    /// When the process started: RFC 3339, UTC.
    pub started_at: String,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Whether `/readyz` says yes.
    pub ready: bool,
    /// Why not; empty if it does.
    pub reasons: Vec<String>,
    /// The generation that serves, counted from 1; none before the first.
    pub generation: Option<u64>,
    /// The pipelines of that generation.
    pub pipelines: Vec<PipelineStatus>,
    /// One entry for each listener.
    pub receivers: Vec<ReceiverStatus>,
    /// The destinations.
    pub exporters: Vec<ExporterStatus>,
    /// What lies in durable queues of exporters that are not there any more.
    pub left_behind: Vec<LeftStatus>,
    /// How the last reload ended; none before the first.
    pub last_reload: Option<ReloadStatus>,
    /// What telemetry holds in memory, and the limits on it.
    pub memory: MemoryStatus,
    /// Records that wait in the exporters' queues, or are being sent.
    pub queued: i64,
    /// Records since the start, by signal.
    pub accounting: BTreeMap<Signal, SignalTotals>,
}

/// A pipeline of the serving generation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineStatus {
    /// `traces`, `traces/checkout`.
    pub id: String,
    /// What it carries.
    pub signal: Signal,
    /// The generation that this pipeline was last changed in.
    pub generation: u64,
    /// Ids of the receivers that feed it.
    pub receivers: Vec<String>,
    /// Its chain, in order.
    pub stages: Vec<StageStatus>,
    /// Ids of its destinations.
    pub exporters: Vec<String>,
}

/// A step of a chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageStatus {
    /// As the pipeline file calls it: `drop-probes`.
    pub id: String,
    /// The plugin's name, as it describes itself.
    pub plugin: String,
    /// The plugin's version, as it describes itself.
    pub version: String,
    /// SHA-256 of the plugin's bytes, in hex.
    pub digest: String,
    /// `filter`, `sampler` or `transform`.
    pub kind: String,
    /// Field paths that it is given.
    pub reads: Vec<String>,
    /// Field paths that it may edit.
    pub writes: Vec<String>,
    /// Where it came from: `standard`, or a path.
    pub source: String,
}

/// A listener, or what stands for one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiverStatus {
    /// `otlp`.
    pub id: String,
    /// `grpc`, `http` or `file`.
    pub transport: String,
    /// Where it listens, with the real port, or the path that it reads; none until it is bound.
    pub address: Option<String>,
}

/// A destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExporterStatus {
    /// `otlp/backend`.
    pub id: String,
    /// Encoded bytes that wait.
    pub queue_bytes: i64,
    /// Records that wait or are being sent.
    pub queue_records: i64,
    /// Bytes that may wait.
    pub capacity: i64,
    /// Records that lay in its durable queue when it was opened.
    pub recovered_records: u64,
    /// What adaptive compression uses now: `zstd 3`; none: it is not adaptive.
    pub compression: Option<String>,
    /// Where it sends to; empty for files and the console.
    pub endpoints: Vec<EndpointStatus>,
}

/// One endpoint of a destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndpointStatus {
    /// `http://backend:4317`.
    pub endpoint: String,
    /// `closed` (it works), `half-open` or `open` (it is left alone for a while).
    pub circuit: &'static str,
}

/// What an exporter that was removed by a reload left in its durable queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftStatus {
    /// The id that it had.
    pub exporter: String,
    /// Where the queue is.
    pub dir: PathBuf,
    /// Encoded bytes in it.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
}

impl From<Left> for LeftStatus {
    fn from(Left { exporter, dir, bytes, records }: Left) -> Self {
        LeftStatus { exporter, dir, bytes, records }
    }
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReloadStatus {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// How.
    pub outcome: ReloadOutcome,
    /// The generation that serves since.
    pub generation: u64,
    /// Why it was refused.
    pub error: Option<String>,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadOutcome {
    /// A new generation serves.
    Applied,
    /// The files mean what they meant.
    Unchanged,
    /// The old generation goes on.
    Refused,
}

impl ReloadOutcome {
    /// As in the metrics: `applied`, `unchanged`, `refused`.
    pub const fn name(self) -> &'static str {
        match self {
            ReloadOutcome::Applied => "applied",
            ReloadOutcome::Unchanged => "unchanged",
            ReloadOutcome::Refused => "refused",
        }
    }
}

/// What became of the records of one signal. With several destinations, a record counts once for each of them in
/// `delivered`, `given_up` and `rejected_by_peers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SignalTotals {
    /// Taken by receivers.
    pub accepted: u64,
    /// Not taken: the client was told to try again.
    pub refused: u64,
    /// Rejected for good by receivers.
    pub rejected: u64,
    /// Found in durable queues when they were opened.
    pub recovered: u64,
    /// Left in durable queues when they were closed, by a reload.
    pub kept: u64,
    /// Delivered by exporters.
    pub delivered: u64,
    /// Given up by exporters.
    pub given_up: u64,
    /// Rejected for good by the peers of exporters.
    pub rejected_by_peers: u64,
    /// Ended inside Sluicebox, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// The same, by component (a stage's or exporter's id) and reason.
    pub dropped_by: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether traffic should come here.
    pub ready: bool,
    /// Why not; empty if it should.
    pub reasons: Vec<String>,
}

/// The answer of `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether the process can still do its work.
    pub healthy: bool,
    /// Tasks that ended although they never should.
    pub dead_tasks: Vec<DeadTask>,
}

/// A task that ended although it never should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadTask {
    /// The task's name: `shard-0`.
    pub task: String,
    /// What it died of.
    pub reason: String,
}
