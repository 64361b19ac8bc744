//! Pipeline files as they are typed. Never leaves `config`.
//!
//! The one source of the keys: serde reads these types, the JSON schema is derived from them, and a test holds
//! `docs/operators.md` against it. Every key has a default, so that a value that was refused leaves a component that
//! can be checked further; what must be given is checked in [`super::check`].

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::spec::{self, Secret};
use super::value::{Size, Time};

/// The `otlp` receiver: OTLP over gRPC and HTTP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct OtlpReceiver {
    /// What is listened for. Left out: both, with their defaults.
    pub protocols: Option<Protocols>,
}

/// The protocols of an `otlp` receiver: those that are named are listened for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Protocols {
    /// OTLP/gRPC; `grpc:` alone means its defaults.
    #[schemars(with = "Option<GrpcServer>")]
    pub grpc: Named<GrpcServer>,
    /// OTLP/HTTP, protobuf and JSON; `http:` alone means its defaults.
    #[schemars(with = "Option<HttpServer>")]
    pub http: Named<HttpServer>,
}

/// Something that is there as soon as its key is, even with nothing behind it.
#[derive(Debug)]
pub(super) struct Named<T>(pub Option<T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(|value| Named(Some(value)))
    }
}

/// The server side of OTLP/gRPC.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct GrpcServer {
    /// `host:port` to listen on; port 0 asks for any.
    pub endpoint: String,
    /// What one request may be.
    pub limits: Limits,
    /// Requests that one connection may have open.
    pub max_concurrent_streams: u64,
    /// After how long a client is asked to connect again, so that load spreads. Left out: never.
    pub max_connection_age: Option<Time>,
}

impl Default for GrpcServer {
    fn default() -> Self {
        GrpcServer {
            endpoint: "127.0.0.1:4317".to_owned(),
            limits: Limits::default(),
            max_concurrent_streams: 128,
            max_connection_age: None,
        }
    }
}

/// The server side of OTLP/HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct HttpServer {
    /// `host:port` to listen on; port 0 asks for any.
    pub endpoint: String,
    /// What one request may be.
    pub limits: Limits,
    /// Where traces are posted to.
    pub traces_url_path: String,
    /// Where metrics are posted to.
    pub metrics_url_path: String,
    /// Where logs are posted to.
    pub logs_url_path: String,
}

impl Default for HttpServer {
    fn default() -> Self {
        HttpServer {
            endpoint: "127.0.0.1:4318".to_owned(),
            limits: Limits::default(),
            traces_url_path: "/v1/traces".to_owned(),
            metrics_url_path: "/v1/metrics".to_owned(),
            logs_url_path: "/v1/logs".to_owned(),
        }
    }
}

/// What one request may be. What is over a limit is refused and counted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Limits {
    /// Size of one request, after decompression.
    pub max_request_bytes: Size,
    /// Levels of lists and mappings inside one attribute value or log body.
    pub max_value_depth: u64,
    /// Attributes of one record, resource, scope, event or link.
    pub max_attributes: u64,
    /// Size of one attribute, key and value.
    pub max_attribute_bytes: Size,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = spec::RequestLimits::default();
        Limits {
            max_request_bytes: Size(limits.max_request_bytes as u64),
            max_value_depth: limits.max_value_depth as u64,
            max_attributes: limits.max_attributes as u64,
            max_attribute_bytes: Size(limits.max_attribute_bytes as u64),
        }
    }
}

/// The `replay` receiver: reads OTLP files instead of the network.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Replay {
    /// Files, or folders of them: `.json` and `.jsonl` (OTLP JSON, one request a line), `.pb` and `.binpb` (encoded
    /// requests). Required.
    pub paths: Vec<String>,
    /// Requests a second. Left out: as fast as they are taken.
    pub rate: Option<f64>,
    /// Once, or again and again.
    pub mode: ReplayMode,
    /// What one request may be.
    pub limits: Limits,
}

/// How often a replay runs.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReplayMode {
    /// Once; a run whose receivers are all through ends.
    #[default]
    Once,
    /// Again and again.
    Loop,
}

/// A stage: a configured plugin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Stage {
    /// A standard plugin's name, a path to a `.wasm` file, or the folder of a plugin crate. A path has a `/` or ends
    /// in `.wasm`. May be left out if the part of the id before `/` is the name of a standard plugin.
    pub plugin: Option<String>,
    /// The plugin's config: what it takes is in its own schema.
    pub config: serde_json::Value,
    /// Limits of the plugin's calls.
    pub limits: StageLimits,
    /// What becomes of a batch when the plugin faults on it.
    pub on_error: OnError,
    /// Host imports beyond logging that the plugin may use.
    pub grants: Vec<Grant>,
    /// Whether a component that imports WASI gets an empty one: no files, no network, no environment.
    pub wasi: Wasi,
}

/// Limits of one stage's plugin calls.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct StageLimits {
    /// Wall time of one call.
    pub deadline: Time,
    /// Linear memory of one instance.
    pub memory: Size,
    /// Size of one answer.
    pub answer: Size,
    /// Size of the state that the host keeps for the stage.
    pub state: Size,
}

impl Default for StageLimits {
    fn default() -> Self {
        let limits = spec::StageLimits::default();
        StageLimits {
            deadline: Time(limits.deadline),
            memory: Size(limits.memory as u64),
            answer: Size(limits.answer as u64),
            state: Size(limits.state as u64),
        }
    }
}

/// What becomes of a batch when the plugin faults on it.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnError {
    /// It goes on as if the stage were not there.
    #[default]
    Pass,
    /// It is dropped and counted.
    Drop,
    /// The client is told to try again.
    Reject,
}

/// A host import that has to be granted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grant {
    /// Own counters and histograms.
    Metrics,
    /// State that the host keeps.
    State,
    /// The time.
    Clock,
    /// Random numbers.
    Random,
}

/// What a component that imports WASI gets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wasi {
    /// Nothing: it does not load.
    #[default]
    None,
    /// An empty one.
    Empty,
}

/// Declares an exporter: its own keys, then those that every exporter has.
macro_rules! exporter {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping")]
        pub(super) struct $name {
            $($own)*
            /// What holds requests between their acknowledgement and their delivery: `memory`, `{memory: 64MiB}`,
            /// or `none`, with which a request is acknowledged when it is delivered.
            pub queue: Queue,
            /// How requests are merged and split behind the queue.
            pub batch: Batch,
            /// How failures are retried.
            pub retry_on_failure: Retry,
        }

        impl Delivered for $name {
            fn delivery(&self) -> (&Queue, &Batch, &Retry) {
                (&self.queue, &self.batch, &self.retry_on_failure)
            }
        }
    };
}

/// What every exporter has.
pub(super) trait Delivered {
    /// What lies between the pipeline and the target.
    fn delivery(&self) -> (&Queue, &Batch, &Retry);
}

exporter! {
    /// The `otlp` exporter (also `otlp_grpc`): OTLP over gRPC.
    OtlpGrpc {
        /// `http://host:port` or `https://host:port`; without a scheme, `tls.insecure` decides. Default:
        /// `OTEL_EXPORTER_OTLP_ENDPOINT`, then `http://localhost:4317`.
        pub endpoint: Option<String>,
        /// Compression of requests. Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, then none.
        pub compression: Option<Compression>,
        /// Sent with every request. The values are secrets. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
        #[schemars(with = "Option<BTreeMap<String, String>>")]
        pub headers: Option<BTreeMap<String, Header>>,
        /// Time of one attempt. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, then 10s.
        pub timeout: Option<Time>,
        /// Certificates.
        pub tls: Tls,
        /// Concurrent requests of one shard. Default 4.
        pub max_in_flight: Option<u64>,
    }
}

exporter! {
    /// The `otlphttp` exporter (also `otlp_http`): OTLP over HTTP.
    OtlpHttp {
        /// The URL to which `v1/traces`, `v1/metrics` and `v1/logs` are added. Default:
        /// `OTEL_EXPORTER_OTLP_ENDPOINT`, then `http://localhost:4318`.
        pub endpoint: Option<String>,
        /// The whole URL for traces, used as it is.
        pub traces_endpoint: Option<String>,
        /// The whole URL for metrics, used as it is.
        pub metrics_endpoint: Option<String>,
        /// The whole URL for logs, used as it is.
        pub logs_endpoint: Option<String>,
        /// Encoding of requests. Default: `OTEL_EXPORTER_OTLP_PROTOCOL`, then `proto`.
        pub encoding: Option<Encoding>,
        /// Compression of requests. Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, then none.
        pub compression: Option<Compression>,
        /// Sent with every request. The values are secrets. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
        #[schemars(with = "Option<BTreeMap<String, String>>")]
        pub headers: Option<BTreeMap<String, Header>>,
        /// Time of one attempt. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, then 10s.
        pub timeout: Option<Time>,
        /// Certificates.
        pub tls: Tls,
        /// Concurrent requests of one shard. Default 4.
        pub max_in_flight: Option<u64>,
    }
}

exporter! {
    /// The `file` exporter: OTLP JSON lines, as the collector's file exporter writes and `replay` reads them.
    FileExporter {
        /// The file. Required.
        pub path: Option<String>,
        /// Compression of each file.
        pub compression: FileCompression,
        /// When a new file is begun. Left out: never.
        pub rotation: Option<Rotation>,
    }
}

exporter! {
    /// The `debug` exporter: the console.
    DebugExporter {
        /// How much is shown.
        pub verbosity: Verbosity,
    }
}

/// A header's value.
#[derive(Debug, Clone)]
pub(super) struct Header(pub Secret);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Header(Secret::new(text)))
    }
}

/// Compression of a request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// Compression of a file.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileCompression {
    /// As it is.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// Encoding of OTLP/HTTP.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// `application/x-protobuf`.
    Proto,
    /// `application/json`.
    Json,
}

/// How much the `debug` exporter shows.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verbosity {
    /// A line a batch.
    #[default]
    Basic,
    /// A line a record.
    Normal,
    /// Every field of every record.
    Detailed,
}

/// Certificates of a client, as PEM files.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Tls {
    /// Roots that are trusted instead of the system's. Default: `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    pub ca_file: Option<String>,
    /// The client's own certificate; with `key_file`. Default: `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`.
    pub cert_file: Option<String>,
    /// The client's own key; with `cert_file`. Default: `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    pub key_file: Option<String>,
    /// Name in the server's certificate, if it is not the endpoint's.
    pub server_name_override: Option<String>,
    /// Whether an endpoint without a scheme is plaintext. Default: `OTEL_EXPORTER_OTLP_INSECURE`, then false.
    pub insecure: Option<bool>,
}

/// When a new file is begun, and how many old ones are kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Rotation {
    /// Size of one file.
    pub max_bytes: Size,
    /// Age of one file. Left out: any.
    pub max_age: Option<Time>,
    /// Rotated files that are kept; older ones are deleted.
    pub max_backups: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation { max_bytes: Size(100 << 20), max_age: None, max_backups: 100 }
    }
}

/// What holds requests between their acknowledgement and their delivery.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Queue {
    /// Acknowledged when it is in memory: `{memory: 64MiB}`.
    #[default]
    Memory,
    /// Acknowledged when it is delivered.
    None,
    /// Acknowledged when it is in memory.
    #[serde(untagged)]
    Bounded(BoundedQueue),
}

/// A queue in memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct BoundedQueue {
    /// Size of the encoded requests that it holds, over all shards.
    pub memory: Size,
}

impl Default for BoundedQueue {
    fn default() -> Self {
        BoundedQueue { memory: Size(64 << 20) }
    }
}

impl<'de> Deserialize<'de> for Queue {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Queue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`memory`, `none` or a mapping")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Queue, E> {
                match text {
                    "memory" => Ok(Queue::Memory),
                    "none" => Ok(Queue::None),
                    _ => Err(E::unknown_variant(text, &["memory", "none", "{memory: 64MiB}"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Queue, A::Error> {
                BoundedQueue::deserialize(MapAccessDeserializer::new(map)).map(Queue::Bounded)
            }
        }

        from.deserialize_any(Either)
    }
}

/// How requests are merged and split behind the queue.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Batch {
    /// A request is sent as soon as it holds so many records.
    pub min_records: u64,
    /// A request never holds more records; larger ones are split. 0: no limit.
    pub max_records: u64,
    /// A request is never larger, before compression; larger ones are split.
    pub max_bytes: Size,
    /// A request is sent when its oldest record has waited so long.
    pub timeout: Time,
}

impl Default for Batch {
    fn default() -> Self {
        let timeout = Time(std::time::Duration::from_millis(200));
        Batch { min_records: 8192, max_records: 0, max_bytes: Size(64 << 20), timeout }
    }
}

/// How failures are retried: exponentially, with jitter.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Retry {
    /// Whether they are at all.
    pub enabled: bool,
    /// First wait.
    pub initial_interval: Time,
    /// Longest wait.
    pub max_interval: Time,
    /// After how long a request is given up, and counted as dropped. 0: never.
    pub max_elapsed_time: Time,
}

impl Default for Retry {
    fn default() -> Self {
        let seconds = |s| Time(std::time::Duration::from_secs(s));
        Retry { enabled: true, initial_interval: seconds(5), max_interval: seconds(30), max_elapsed_time: seconds(300) }
    }
}

/// What concerns the whole process; in one file of a run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Service {
    /// The pipelines by id, `traces`, `metrics` or `logs`, with a name of one's own behind a `/`.
    #[schemars(with = "BTreeMap<String, Pipeline>")]
    pub pipelines: Ignored,
    /// What the process tells about itself.
    pub telemetry: Telemetry,
    /// Data threads. Left out: one a core.
    pub shards: Option<u64>,
    /// How long the pipelines may take to run empty at the end.
    pub shutdown_timeout: Option<Time>,
}

/// Read elsewhere, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| Ignored)
    }
}

/// What the process tells about itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Telemetry {
    /// `host:port` of `/metrics`, `/healthz`, `/readyz` and `/status`, or `none`. Default `127.0.0.1:8888`.
    pub endpoint: Option<String>,
}

/// One pipeline.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Pipeline {
    /// Ids of the receivers that feed it; at least one.
    pub receivers: Vec<String>,
    /// Ids of the stages that it goes through, in order.
    pub processors: Vec<String>,
    /// Ids of the exporters that it goes to; at least one.
    pub exporters: Vec<String>,
}
