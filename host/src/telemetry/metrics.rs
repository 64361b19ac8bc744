//! Every metric of the process: names, labels and help texts, in this one file.
//!
//! Where the meaning is the OpenTelemetry Collector's, the name is too, so that dashboards and alert rules carry
//! over; our own are under `sluicebox_`. `docs/metrics.md` lists them. Handles are taken once, when a component is
//! built, and are then one atomic addition per batch.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::config::spec::Codec;
use crate::data::Signal;

impl EncodeLabelValue for Signal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.name().encode(encoder)
    }
}

/// Labels of what a receiver counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReceiverLabels {
    /// The receiver's id: `otlp`.
    pub receiver: String,
    /// `grpc`, `http` or `file`.
    pub transport: &'static str,
}

/// Labels of a receiver's requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The receiver's id.
    pub receiver: String,
    /// `grpc`, `http` or `file`.
    pub transport: &'static str,
    /// `ok`, `partial`, `malformed`, `too_large`, `unsupported`, `busy`, `timeout`, `unauthenticated`.
    pub outcome: &'static str,
}

/// Labels of what the gate of a listener does not let in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GateLabels {
    /// The receiver's id; `admin` for the admin endpoint.
    pub receiver: String,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// Why: see `docs/metrics.md`.
    pub reason: &'static str,
}

/// Labels of changes in the files of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RotationLabels {
    /// The receiver's id; `admin` for the admin endpoint.
    pub receiver: String,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// `tls` or `auth`.
    pub key: &'static str,
    /// `applied` or `refused`.
    pub outcome: &'static str,
}

/// Labels of a receiver's limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    /// The receiver's id.
    pub receiver: String,
    /// `grpc`, `http` or `file`.
    pub transport: &'static str,
    /// The limit that was crossed: `memory_soft`, `max_in_flight_bytes`, `requests_per_second`, …
    pub limit: &'static str,
}

/// Labels of bytes in the account of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MemoryKindLabels {
    /// `reading`, `decoding`, `requests` or `edited`.
    pub kind: &'static str,
}

/// Labels of the limits of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MemoryLimitLabels {
    /// `soft` or `hard`.
    pub limit: &'static str,
}

/// Labels of what is counted for a task of the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TaskLabels {
    /// Its name: `accept connections`.
    pub task: &'static str,
}

/// Labels of what a stage counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabels {
    /// The pipeline's id: `traces/checkout`.
    pub pipeline: String,
    /// The stage's id: `drop-probes`.
    pub processor: String,
    /// The plugin's name, as it describes itself.
    pub plugin: String,
    /// The plugin's version, as it describes itself.
    pub plugin_version: String,
}

/// Labels of a plugin's faults.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FaultLabels {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// `trap`, `deadline`, `memory`, `answer`, `refused`, `start`.
    pub fault: &'static str,
}

/// Labels of a sampler's decisions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// The reason, as the plugin's plan names it.
    pub reason: String,
    /// `kept` or `dropped`.
    pub decision: &'static str,
}

/// Labels of records that end inside Sluicebox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LossLabels {
    /// What they were.
    pub signal: Signal,
    /// Where: the id of a receiver, stage or exporter.
    pub component: String,
    /// Why: `filtered`, `sampled`, `plugin_fault`, `too_large`, `retries_exhausted`, `refused_by_peer`, `shutdown`, …
    pub reason: &'static str,
}

/// Labels of what an exporter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ExporterLabels {
    /// The exporter's id: `otlp/backend`.
    pub exporter: String,
}

/// Labels of an exporter's attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// The exporter's id.
    pub exporter: String,
    /// `ok`, `partial`, `retryable`, `permanent`.
    pub outcome: &'static str,
}

/// Labels of one endpoint of an exporter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndpointLabels {
    /// The exporter's id.
    pub exporter: String,
    /// Its URL, without query.
    pub endpoint: String,
}

/// Labels of credentials that an exporter reads anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CredentialLabels {
    /// The exporter's id.
    pub exporter: String,
    /// `tls`, `bearer_token`, `password`, `client_secret`, `access_token`.
    pub credential: &'static str,
    /// `applied` or `refused`.
    pub outcome: &'static str,
}

/// Labels of a way to compress requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodecLabels {
    /// The exporter's id.
    pub exporter: String,
    /// `none`, `gzip` or `zstd`.
    pub encoding: &'static str,
    /// Its level; 0 for none.
    pub level: u32,
}

impl CodecLabels {
    /// Those of one way of one exporter.
    pub fn new(exporter: &str, codec: Codec) -> Self {
        let encoding = codec.compression.encoding().unwrap_or("none");
        CodecLabels { exporter: exporter.to_owned(), encoding, level: codec.level.into() }
    }
}

/// Labels of encodings that a peer did not take.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusedLabels {
    /// The exporter's id.
    pub exporter: String,
    /// `gzip` or `zstd`.
    pub encoding: &'static str,
}

/// Labels of what a durable queue could not do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueFailureLabels {
    /// The exporter's id.
    pub exporter: String,
    /// `write`, `sync`, `read`, `cursor`, `remove`.
    pub act: &'static str,
}

/// Labels of what is counted for a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PipelineLabels {
    /// The pipeline's id.
    pub pipeline: String,
}

/// Labels of searches for poison records.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SearchLabels {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// `found`, `part` or `nothing`.
    pub outcome: &'static str,
}

/// Labels of instances that took the place of others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RenewalLabels {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// `fault`, `calls` or `memory`.
    pub cause: &'static str,
}

/// Labels of requests that went to a dead-letter file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeadLetterLabels {
    /// The signal.
    pub signal: Signal,
    /// The id of the stage or exporter that gave them up.
    pub component: String,
    /// `written` or `failed`.
    pub outcome: &'static str,
}

/// Labels of reloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReloadLabels {
    /// `applied`, `unchanged` or `refused`.
    pub outcome: &'static str,
}

/// One counter family a signal, for names that end in `spans`, `metric_points` and `log_records`.
#[derive(Clone, Debug)]
pub struct PerSignal<L: Clone + std::hash::Hash + Eq> {
    traces: Family<L, Counter>,
    metrics: Family<L, Counter>,
    logs: Family<L, Counter>,
}

impl<L> PerSignal<L>
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
{
    fn register(registry: &mut Registry, prefix: &str, help: &str) -> Self {
        let mut family = |signal: Signal| {
            let family = Family::<L, Counter>::default();
            registry.register(format!("{prefix}_{}", signal.records()), help, family.clone());
            family
        };
        PerSignal { traces: family(Signal::Traces), metrics: family(Signal::Metrics), logs: family(Signal::Logs) }
    }

    /// The counter of a signal and a set of labels.
    pub fn counter(&self, signal: Signal, labels: &L) -> Counter {
        let family = match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        };
        family.get_or_create_owned(labels)
    }
}

/// Makes the histogram of call durations: 1 µs to 1 s.
fn call_seconds() -> Histogram {
    Histogram::new([
        1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25,
        1.0,
    ])
}

/// Makes the histogram of attempt durations: 1 ms to 60 s.
fn attempt_seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

/// Makes the histogram of commit durations: 100 µs to 10 s.
fn commit_seconds() -> Histogram {
    Histogram::new([1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

/// A family of histograms; the constructor is a plain function, so that the family can be named.
pub type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All families of metrics.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented by the help text of its registration below")]
pub struct Metrics {
    pub receiver_accepted: PerSignal<ReceiverLabels>,
    pub receiver_refused: PerSignal<ReceiverLabels>,
    pub receiver_rejected: PerSignal<ReceiverLabels>,
    pub receiver_requests: Family<RequestLabels, Counter>,
    pub receiver_limits: Family<LimitLabels, Counter>,
    pub memory_held: Family<MemoryKindLabels, Gauge>,
    pub memory_limit: Family<MemoryLimitLabels, Gauge>,
    pub memory_short_periods: Counter,
    pub task_panics: Family<TaskLabels, Counter>,
    pub authentication_failures: Family<GateLabels, Counter>,
    pub handshakes_failed: Family<GateLabels, Counter>,
    pub certificate_expiry: Family<ReceiverLabels, Gauge>,
    pub rotations: Family<RotationLabels, Counter>,
    pub stage_incoming: Family<StageLabels, Counter>,
    pub stage_outgoing: Family<StageLabels, Counter>,
    pub stage_edits: Family<StageLabels, Counter>,
    pub plugin_calls: Family<StageLabels, Counter>,
    pub plugin_call_seconds: Histograms<StageLabels>,
    pub plugin_faults: Family<FaultLabels, Counter>,
    pub plugin_log_lines_dropped: Family<StageLabels, Counter>,
    pub plugin_instances_renewed: Family<RenewalLabels, Counter>,
    pub plugin_searches: Family<SearchLabels, Counter>,
    pub sampler_decisions: Family<DecisionLabels, Counter>,
    pub dropped: Family<LossLabels, Counter>,
    pub dead_letter_records: Family<DeadLetterLabels, Counter>,
    pub exporter_sent: PerSignal<ExporterLabels>,
    pub exporter_send_failed: PerSignal<ExporterLabels>,
    pub exporter_enqueue_failed: PerSignal<ExporterLabels>,
    pub exporter_rejected: PerSignal<ExporterLabels>,
    pub exporter_attempts: Family<AttemptLabels, Counter>,
    pub exporter_attempt_seconds: Histograms<ExporterLabels>,
    pub exporter_queue_size: Family<ExporterLabels, Gauge>,
    pub exporter_queue_records: Family<ExporterLabels, Gauge>,
    pub exporter_queue_capacity: Family<ExporterLabels, Gauge>,
    pub exporter_batch_records: Family<ExporterLabels, Gauge>,
    pub exporter_compression_chosen: Family<CodecLabels, Gauge>,
    pub exporter_compression_ratio: Family<CodecLabels, Gauge<f64, AtomicU64>>,
    pub exporter_compression_cost: Family<CodecLabels, Gauge<f64, AtomicU64>>,
    pub exporter_compression_switches: Family<ExporterLabels, Counter>,
    pub exporter_compression_refusals: Family<RefusedLabels, Counter>,
    pub exporter_circuit: Family<EndpointLabels, Gauge>,
    pub exporter_credentials: Family<CredentialLabels, Counter>,
    pub exporter_recovered: PerSignal<ExporterLabels>,
    pub exporter_kept: PerSignal<ExporterLabels>,
    pub queue_entries: Family<ExporterLabels, Gauge>,
    pub queue_disk_bytes: Family<ExporterLabels, Gauge>,
    pub queue_segments: Family<ExporterLabels, Gauge>,
    pub queue_oldest_seconds: Family<ExporterLabels, Gauge>,
    pub queue_syncs: Family<ExporterLabels, Counter>,
    pub queue_commit_seconds: Histograms<ExporterLabels>,
    pub queue_failures: Family<QueueFailureLabels, Counter>,
    pub queue_quarantined: Family<ExporterLabels, Counter>,
    pub queue_quarantined_bytes: Family<ExporterLabels, Counter>,
    pub reloads: Family<ReloadLabels, Counter>,
    pub generation: Family<PipelineLabels, Gauge>,
}

impl Metrics {
    /// Registers every family. Counters get `_total` when they are written.
    pub fn register(registry: &mut Registry) -> Self {
        macro_rules! family {
            ($name:literal, $help:literal) => {{
                let family = Family::default();
                registry.register($name, $help, family.clone());
                family
            }};
        }
        macro_rules! histograms {
            ($name:literal, $help:literal, $make:expr) => {{
                let family = Family::new_with_constructor($make as fn() -> Histogram);
                registry.register($name, $help, family.clone());
                family
            }};
        }
        let memory_short_periods = Counter::default();
        registry.register(
            "sluicebox_memory_short_periods",
            "How often the soft limit of memory was crossed, upwards",
            memory_short_periods.clone(),
        );
        Metrics {
            receiver_limits: family!("sluicebox_receiver_limits", "How often a limit of a receiver was crossed"),
            memory_held: family!("sluicebox_memory_held_bytes", "Bytes that telemetry holds in memory"),
            memory_limit: family!("sluicebox_memory_limit_bytes", "Limits of the memory limiter; 0: none"),
            memory_short_periods,
            task_panics: family!("sluicebox_task_panics", "Panics of tasks of the process, by the task's name"),
            receiver_requests: family!("sluicebox_receiver_requests", "Requests answered, by outcome"),
            authentication_failures: family!(
                "sluicebox_receiver_authentication_failures",
                "Requests that showed no credential that is known, by reason"
            ),
            handshakes_failed: family!(
                "sluicebox_receiver_tls_handshakes_failed",
                "Connections whose TLS handshake came to nothing, by reason"
            ),
            certificate_expiry: family!(
                "sluicebox_receiver_tls_certificate_expiry_seconds",
                "Until when the certificate of a listener is valid, since the Unix epoch"
            ),
            rotations: family!(
                "sluicebox_receiver_credential_rotations",
                "Changes of certificate or credential files, by whether they could be used"
            ),
            stage_incoming: family!("otelcol_processor_incoming_items", "Records that a stage was given"),
            stage_outgoing: family!("otelcol_processor_outgoing_items", "Records that a stage passed on"),
            stage_edits: family!("sluicebox_processor_edits", "Values that a transform set or deleted"),
            plugin_calls: family!("sluicebox_plugin_calls", "Calls of a plugin, failed ones included"),
            plugin_call_seconds: histograms!(
                "sluicebox_plugin_call_duration_seconds",
                "Wall time of a plugin call",
                call_seconds
            ),
            plugin_faults: family!("sluicebox_plugin_faults", "Plugin calls that ended in a fault, by its kind"),
            plugin_log_lines_dropped: family!(
                "sluicebox_plugin_log_lines_dropped",
                "Log lines of a plugin that were over its rate limit"
            ),
            plugin_instances_renewed: family!(
                "sluicebox_plugin_instances_renewed",
                "Instances of a plugin that took the place of another, by cause"
            ),
            plugin_searches: family!(
                "sluicebox_plugin_searches",
                "Searches of a batch for the records that make a plugin fault, by outcome"
            ),
            sampler_decisions: family!("sluicebox_sampler_decisions", "Decisions of a sampler, by its reason"),
            dropped: family!(
                "sluicebox_dropped_records",
                "Records that ended inside Sluicebox, by component and reason"
            ),
            dead_letter_records: family!(
                "sluicebox_dead_letter_records",
                "Records that were to be written to a dead-letter file, by outcome"
            ),
            exporter_attempts: family!("sluicebox_exporter_attempts", "Attempts to deliver a request, by outcome"),
            exporter_attempt_seconds: histograms!(
                "sluicebox_exporter_attempt_duration_seconds",
                "Wall time of an attempt to deliver",
                attempt_seconds
            ),
            exporter_queue_size: family!("otelcol_exporter_queue_size", "Bytes that wait in the exporter's queue"),
            exporter_queue_records: family!(
                "sluicebox_exporter_queue_records",
                "Records that wait in the exporter's queue or are being sent"
            ),
            exporter_batch_records: family!(
                "sluicebox_exporter_batch_target_records",
                "Records at which a batch is sent, as adaptive batching chose it last"
            ),
            exporter_queue_capacity: family!(
                "otelcol_exporter_queue_capacity",
                "Bytes that the exporter's queue may hold"
            ),
            exporter_compression_chosen: family!(
                "sluicebox_exporter_compression_chosen",
                "Whether adaptive compression uses this encoding and level now: 1 if it does"
            ),
            exporter_compression_ratio: family!(
                "sluicebox_exporter_compression_ratio",
                "Bytes that compression leaves of each byte, as adaptive compression measured it on live data"
            ),
            exporter_compression_cost: family!(
                "sluicebox_exporter_compression_cpu_seconds_per_mebibyte",
                "CPU time that compressing a MiB takes, as adaptive compression measured it on live data"
            ),
            exporter_compression_switches: family!(
                "sluicebox_exporter_compression_switches",
                "How often adaptive compression chose anew"
            ),
            exporter_compression_refusals: family!(
                "sluicebox_exporter_compression_refusals",
                "How often adaptive compression learnt that the peer does not take an encoding"
            ),
            exporter_circuit: family!(
                "sluicebox_exporter_circuit_state",
                "Whether an endpoint is tried: 0 closed (it is), 1 half-open (probes are), 2 open (it is left alone)"
            ),
            exporter_credentials: family!(
                "sluicebox_exporter_credential_reloads",
                "Certificates, secrets and tokens of an exporter that were read anew, by what became of them"
            ),
            queue_entries: family!("sluicebox_queue_entries", "Requests that wait in a durable queue"),
            queue_disk_bytes: family!("sluicebox_queue_disk_bytes", "Bytes that a durable queue takes on its disk"),
            queue_segments: family!("sluicebox_queue_segments", "Files that hold the requests of a durable queue"),
            queue_oldest_seconds: family!(
                "sluicebox_queue_oldest_age_seconds",
                "Age of the oldest request in a durable queue"
            ),
            queue_syncs: family!("sluicebox_queue_syncs", "Times that a durable queue brought requests to the disk"),
            queue_commit_seconds: histograms!(
                "sluicebox_queue_commit_duration_seconds",
                "Wall time of writing a group of requests to a durable queue, and of bringing it to the disk",
                commit_seconds
            ),
            queue_failures: family!("sluicebox_queue_failures", "What a durable queue could not do, by its act"),
            queue_quarantined: family!(
                "sluicebox_queue_damaged_places",
                "Places in a durable queue that could not be read"
            ),
            queue_quarantined_bytes: family!("sluicebox_queue_damaged_bytes", "Bytes in those places"),
            reloads: family!("sluicebox_reloads", "Reloads, by outcome"),
            generation: family!("sluicebox_pipeline_generation", "The generation that a pipeline runs, counted from 1"),
            receiver_accepted: PerSignal::register(registry, "otelcol_receiver_accepted", "Records that were taken"),
            receiver_refused: PerSignal::register(
                registry,
                "otelcol_receiver_refused",
                "Records of well-formed requests that were not taken: the client was told to try again",
            ),
            receiver_rejected: PerSignal::register(
                registry,
                "sluicebox_receiver_rejected",
                "Records that were rejected for good (partial_success)",
            ),
            exporter_sent: PerSignal::register(registry, "otelcol_exporter_sent", "Records that were delivered"),
            exporter_send_failed: PerSignal::register(
                registry,
                "otelcol_exporter_send_failed",
                "Records that were given up",
            ),
            exporter_enqueue_failed: PerSignal::register(
                registry,
                "otelcol_exporter_enqueue_failed",
                "Records that found the exporter's queue full",
            ),
            exporter_recovered: PerSignal::register(
                registry,
                "sluicebox_exporter_recovered",
                "Records that lay in the exporter's durable queue when it was opened",
            ),
            exporter_kept: PerSignal::register(
                registry,
                "sluicebox_exporter_kept",
                "Records that stayed in the exporter's durable queue when it was closed",
            ),
            exporter_rejected: PerSignal::register(
                registry,
                "sluicebox_exporter_rejected",
                "Records that the peer rejected for good (partial_success)",
            ),
        }
    }
}

impl Default for Metrics {
    /// Families that nobody reads: for tests.
    fn default() -> Self {
        Metrics::register(&mut Registry::default())
    }
}
