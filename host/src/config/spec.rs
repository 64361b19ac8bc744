//! What a pipeline file means, valid by construction: every reference resolves, every number is in range.
//! Everything outside `config` works from these types; `Raw` never leaves it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::data::Signal;

/// Everything that one `run` was given: the union of its files.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Spec {
    /// Receivers by id (`otlp`, `otlp/second`), those that some pipeline uses.
    pub receivers: BTreeMap<String, ReceiverSpec>,
    /// Stages by id (`drop-probes`).
    pub processors: BTreeMap<String, StageSpec>,
    /// Exporters by id (`otlp/backend`).
    pub exporters: BTreeMap<String, ExporterSpec>,
    /// Pipelines by id (`traces`, `traces/checkout`).
    pub pipelines: BTreeMap<String, PipelineSpec>,
    /// What concerns the whole process.
    pub service: ServiceSpec,
}

/// One pipeline: which receivers feed it, through which stages, to which exporters.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    /// The one signal that it carries.
    pub signal: Signal,
    /// Ids in [`Spec::receivers`]; never empty.
    pub receivers: Vec<String>,
    /// Ids in [`Spec::processors`], in the order of the chain.
    pub processors: Vec<String>,
    /// Ids in [`Spec::exporters`]; never empty.
    pub exporters: Vec<String>,
    /// The file that declared it.
    pub file: PathBuf,
}

/// What concerns the whole process.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Where `/metrics`, `/healthz`, `/readyz` and `/status` are served; none: nowhere. Default 127.0.0.1:8888.
    pub admin_endpoint: Option<String>,
    /// Data threads; default one a core.
    pub shards: NonZeroUsize,
    /// How long a drain may take at the end. Default 30 s.
    pub shutdown_timeout: Duration,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        ServiceSpec {
            admin_endpoint: Some("127.0.0.1:8888".to_owned()),
            shards: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// A receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceiverSpec {
    /// OTLP over gRPC and HTTP; at least one of them.
    Otlp {
        /// OTLP/gRPC.
        grpc: Option<GrpcServerSpec>,
        /// OTLP/HTTP, protobuf and JSON.
        http: Option<HttpServerSpec>,
    },
    /// Reads files instead of the network.
    Replay(ReplaySpec),
}

/// The server side of OTLP/gRPC.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcServerSpec {
    /// `host:port`; default `127.0.0.1:4317`. Port 0 asks for any.
    pub endpoint: String,
    /// What one request may be.
    pub limits: RequestLimits,
    /// Streams that one connection may have open. Default 128.
    pub max_concurrent_streams: u32,
    /// After how long a connection is asked to go away, so that load spreads; none: never. Default none.
    pub max_connection_age: Option<Duration>,
}

/// The server side of OTLP/HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpServerSpec {
    /// `host:port`; default `127.0.0.1:4318`. Port 0 asks for any.
    pub endpoint: String,
    /// What one request may be.
    pub limits: RequestLimits,
    /// Path of each signal; default `/v1/traces` and so on.
    pub paths: BTreeMap<Signal, String>,
}

/// What one request may be. Each has a default, and a counter for what is over it.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLimits {
    /// Bytes of one request, after decompression. Default 64 MiB.
    pub max_request_bytes: usize,
    /// Levels of arrays and key-value lists inside an attribute value or log body. Default 32: more would
    /// pass the recursion limit of 100 messages that protobuf decoders at the destinations have.
    pub max_value_depth: usize,
    /// Attributes of one record, resource, scope, event or link. Default 10 000.
    pub max_attributes: usize,
    /// Bytes of one attribute (key and value). Default 4 MiB.
    pub max_attribute_bytes: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            max_request_bytes: 64 << 20,
            max_value_depth: 32,
            max_attributes: 10_000,
            max_attribute_bytes: 4 << 20,
        }
    }
}

/// Reads OTLP files.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaySpec {
    /// Files, or folders of them, absolute; `.json`/`.jsonl` (OTLP JSON, one request a line), `.pb`/`.binpb` (one
    /// encoded request, or several with their lengths, told apart by the first bytes; the signal is a word of the name).
    pub paths: Vec<PathBuf>,
    /// Requests a second; none: as fast as they are taken.
    pub rate: Option<f64>,
    /// Once, or again and again.
    pub mode: ReplayMode,
    /// What one request may be.
    pub limits: RequestLimits,
}

/// How often a replay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayMode {
    /// Once. When all replays of a `run` are through and no other receiver is configured, the run ends.
    Once,
    /// Again and again.
    Loop,
}

/// A configured step of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// Where the plugin comes from.
    pub plugin: PluginSource,
    /// The plugin's config, as JSON.
    pub config: serde_json::Value,
    /// Limits of each call.
    pub limits: StageLimits,
    /// What becomes of a batch when the plugin faults on it.
    pub on_error: OnError,
    /// Host imports beyond logging that the plugin may use.
    pub grants: Vec<Grant>,
    /// Whether a component that imports WASI gets an empty one. Default false.
    pub empty_wasi: bool,
    /// Where the stage was written, for problems that only its plugin can find.
    pub place: Place,
}

/// A place in a file: for problems that are found after parsing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginSource {
    /// A standard plugin that the binary carries, by name.
    Standard(String),
    /// A `.wasm` file: a core module or a component; absolute.
    File(PathBuf),
    /// A folder with a plugin crate (`Cargo.toml`), which is built; absolute.
    Crate(PathBuf),
}

/// Limits of one stage's plugin calls.
#[derive(Clone, Debug, PartialEq)]
pub struct StageLimits {
    /// Wall time of one call. Default 100 ms.
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes. Default 64 MiB.
    pub memory: usize,
    /// Bytes of one answer. Default 16 MiB.
    pub answer: usize,
    /// Bytes of host-kept state of the stage. Default 1 MiB.
    pub state: usize,
}

impl Default for StageLimits {
    fn default() -> Self {
        StageLimits { deadline: Duration::from_millis(100), memory: 64 << 20, answer: 16 << 20, state: 1 << 20 }
    }
}

/// What becomes of a batch when the plugin faults on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// It goes on as if the stage were not there. The default.
    Pass,
    /// It is dropped and counted.
    Drop,
    /// The client is told to try again.
    Reject,
}

/// A host import that has to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// Own counters and histograms.
    Metrics,
    /// Host-kept state.
    State,
    /// The time.
    Clock,
    /// Random numbers.
    Random,
}

impl Grant {
    /// All grants.
    pub const ALL: [Grant; 4] = [Grant::Metrics, Grant::State, Grant::Clock, Grant::Random];

    /// As written in a pipeline file, and as the interface of the plugin package is called.
    pub const fn name(self) -> &'static str {
        match self {
            Grant::Metrics => "metrics",
            Grant::State => "state",
            Grant::Clock => "clock",
            Grant::Random => "random",
        }
    }
}

/// A destination: where to, and what lies between it and the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct ExporterSpec {
    /// What it writes to.
    pub target: TargetSpec,
    /// What holds requests until they are delivered.
    pub queue: QueueSpec,
    /// How requests are merged.
    pub batch: BatchSpec,
    /// How failures are retried.
    pub retry: RetrySpec,
}

/// What a destination writes to.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetSpec {
    /// OTLP over gRPC.
    OtlpGrpc(OtlpClientSpec),
    /// OTLP over HTTP.
    OtlpHttp(OtlpHttpClientSpec),
    /// OTLP JSON lines in a file.
    File(FileSpec),
    /// The console.
    Debug(DebugSpec),
}

/// A client of OTLP/gRPC; also the common part of OTLP/HTTP's.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpClientSpec {
    /// `http://host:port` or `https://…`.
    pub endpoint: String,
    /// Compression of requests. Default none.
    pub compression: Compression,
    /// Sent with every request. Values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// Time of one attempt. Default 10 s.
    pub timeout: Duration,
    /// Certificates, if `https`.
    pub tls: TlsClientSpec,
    /// Concurrent requests of one shard. Default 4.
    pub max_in_flight: NonZeroUsize,
}

/// A client of OTLP/HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpHttpClientSpec {
    /// What it shares with gRPC; `endpoint` is the base to which `v1/{signal}` is added.
    pub client: OtlpClientSpec,
    /// Protobuf or JSON. Default protobuf.
    pub encoding: Encoding,
    /// Whole URL of a signal, used as it is, instead of base and path.
    pub endpoints: BTreeMap<Signal, String>,
}

/// Certificates of a client.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TlsClientSpec {
    /// Roots that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate, PEM; with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The client's own key, PEM; with `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Name in the server's certificate, if it is not the endpoint's.
    pub server_name: Option<String>,
}

/// Compression of a request or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

/// Encoding of OTLP/HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// OTLP JSON lines in a file, as the collector's file exporter writes and `replay` reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSpec {
    /// The file, absolute. Rotated files lie beside it.
    pub path: PathBuf,
    /// Compression of each file. Default none.
    pub compression: Compression,
    /// When a new file is begun; none: never.
    pub rotation: Option<RotationSpec>,
}

/// When a new file is begun, and how many old ones are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RotationSpec {
    /// Bytes of one file. Default 100 MiB.
    pub max_bytes: u64,
    /// Age of one file; none: any.
    pub max_age: Option<Duration>,
    /// Rotated files that are kept; older ones are deleted. Default 100.
    pub max_backups: usize,
}

/// The console.
#[derive(Clone, Debug, PartialEq)]
pub struct DebugSpec {
    /// How much is shown. Default a line a batch.
    pub verbosity: Verbosity,
}

/// How much the `debug` exporter shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// A line a batch.
    Summary,
    /// A line a record.
    Records,
    /// Every field of every record.
    Detailed,
}

/// What holds requests between acknowledgement and delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueSpec {
    /// Acknowledged when it is in memory, at most so many bytes. Default, 64 MiB.
    Memory {
        /// Bytes of encoded requests, over all shards.
        max_bytes: usize,
    },
    /// Acknowledged when it is delivered.
    None,
}

/// How requests are merged behind the queue, per destination.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSpec {
    /// A request is sent when it holds this many records. Default 8192.
    pub min_records: usize,
    /// A request never holds more records than this; larger ones are split. 0: no limit. Default 0.
    pub max_records: usize,
    /// A request never is larger than this, in bytes before compression; larger ones are split. Default 64 MiB for
    /// gRPC and HTTP (OTLP's limit, E1).
    pub max_bytes: usize,
    /// A request is sent when its oldest record has waited so long. Default 200 ms.
    pub timeout: Duration,
}

/// How failures are retried.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySpec {
    /// Whether they are at all. Default true.
    pub enabled: bool,
    /// First wait. Default 5 s.
    pub initial_interval: Duration,
    /// Longest wait. Default 30 s.
    pub max_interval: Duration,
    /// After how long a request is given up, counted as dropped; zero: never. Default 300 s.
    pub max_elapsed_time: Duration,
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Secret(value)
    }

    /// The value: only to put it on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
