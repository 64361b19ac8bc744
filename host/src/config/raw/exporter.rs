//! Exporters as they are typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Balance, Batch, CircuitBreaker, Compression, CompressionParams, Credential, DeadLetter, Endpoint, Queue, Retry, Tls,
};
use crate::config::spec::Secret;
use crate::config::value::{Size, Time};

/// Declares an exporter: its own keys, then those that every exporter has.
macro_rules! exporter {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping")]
        pub(in crate::config) struct $name {
            $($own)*
            /// What holds requests between their acknowledgement and their delivery: `memory`, `{memory: 64MiB}`,
            /// or `none`, with which a request is acknowledged when it is delivered.
            pub queue: Queue,
            /// How requests are merged and split behind the queue.
            pub batch: Batch,
            /// How failures are retried.
            pub retry_on_failure: Retry,
            /// A file for what the target refuses for good, and for what is given up if `on_exhausted` says so: OTLP
            /// JSON lines. Left out: it is dropped, and counted.
            pub dead_letter: Option<DeadLetter>,
        }

        impl Delivered for $name {
            fn delivery(&self) -> (&Queue, &Batch, &Retry) {
                (&self.queue, &self.batch, &self.retry_on_failure)
            }

            fn dead_letter(&self) -> Option<&DeadLetter> {
                self.dead_letter.as_ref()
            }
        }
    };
}

/// What every exporter has.
pub(in crate::config) trait Delivered {
    /// What lies between the pipeline and the target.
    fn delivery(&self) -> (&Queue, &Batch, &Retry);
    /// The file for what cannot be delivered.
    fn dead_letter(&self) -> Option<&DeadLetter>;
}

exporter! {
    /// The `otlp` exporter (also `otlp_grpc`): OTLP over gRPC.
    OtlpGrpc {
        /// `http://host:port` or `https://host:port`; without a scheme, `tls.insecure` decides. Default:
        /// `OTEL_EXPORTER_OTLP_ENDPOINT`, then `http://localhost:4317`.
        pub endpoint: Option<String>,
        /// Compression of requests: `none`, `gzip`, `zstd`, or `{adaptive: {aim: network}}`. Default:
        /// `OTEL_EXPORTER_OTLP_COMPRESSION`, then none.
        pub compression: Option<Compression>,
        /// How hard gzip or zstd tries.
        pub compression_params: CompressionParams,
        /// Sent with every request. The values are secrets. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
        #[schemars(with = "Option<BTreeMap<String, String>>")]
        pub headers: Option<BTreeMap<String, Header>>,
        /// Time of one attempt. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, then 10s.
        pub timeout: Option<Time>,
        /// Certificates.
        pub tls: Tls,
        /// What is shown to the peer.
        pub auth: Option<Credential>,
        /// Concurrent requests of one shard. Default 4.
        pub max_in_flight: Option<u64>,
        /// Several endpoints instead of `endpoint`: URLs, or `{endpoint: URL, weight: 3}`.
        pub endpoints: Option<Vec<Endpoint>>,
        /// Which of several endpoints is next. Default: each in turn.
        pub balance: Option<Balance>,
        /// How often names of endpoints are resolved anew; connections move to new addresses. 0: only when a connection
        /// is made. Default 30s.
        pub dns_refresh: Option<Time>,
        /// When an endpoint that fails is left alone for a while.
        pub circuit_breaker: CircuitBreaker,
        /// Connections of one shard to one endpoint. Default 1.
        pub connections: Option<u64>,
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
        /// Compression of requests: `none`, `gzip`, `zstd`, or `{adaptive: {aim: network}}`. Default:
        /// `OTEL_EXPORTER_OTLP_COMPRESSION`, then none.
        pub compression: Option<Compression>,
        /// How hard gzip or zstd tries.
        pub compression_params: CompressionParams,
        /// Sent with every request. The values are secrets. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
        #[schemars(with = "Option<BTreeMap<String, String>>")]
        pub headers: Option<BTreeMap<String, Header>>,
        /// Time of one attempt. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, then 10s.
        pub timeout: Option<Time>,
        /// Certificates.
        pub tls: Tls,
        /// What is shown to the peer.
        pub auth: Option<Credential>,
        /// Concurrent requests of one shard. Default 4.
        pub max_in_flight: Option<u64>,
        /// Several endpoints instead of `endpoint`: URLs, or `{endpoint: URL, weight: 3}`.
        pub endpoints: Option<Vec<Endpoint>>,
        /// Which of several endpoints is next. Default: each in turn.
        pub balance: Option<Balance>,
        /// How often names of endpoints are resolved anew; connections move to new addresses. 0: only when a connection
        /// is made. Default 30s.
        pub dns_refresh: Option<Time>,
        /// When an endpoint that fails is left alone for a while.
        pub circuit_breaker: CircuitBreaker,
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
pub(in crate::config) struct Header(pub Secret);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Header(Secret::new(text)))
    }
}

/// Compression of a file.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum FileCompression {
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
pub(in crate::config) enum Encoding {
    /// `application/x-protobuf`.
    Proto,
    /// `application/json`.
    Json,
}

/// How much the `debug` exporter shows.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Verbosity {
    /// A line a batch.
    #[default]
    Basic,
    /// A line a record.
    Normal,
    /// Every field of every record.
    Detailed,
}

/// When a new file is begun, and how many old ones are kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Rotation {
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
