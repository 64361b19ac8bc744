//! Exporters: what they write to, and what lies between a pipeline and that target.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    BatchSpec, CompressionSpec, CredentialSpec, QuarantineSpec, QueueSpec, RetrySpec, Secret, SpreadSpec, TlsClientSpec,
};
use crate::data::Signal;

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
    /// The file for records that cannot be delivered; none: they are only counted.
    pub dead_letter: Option<QuarantineSpec>,
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
    /// `http://host:port` or `https://…`; the first one, if there is a list of them in `spread`.
    pub endpoint: String,
    /// Compression of requests. Default none.
    pub compression: CompressionSpec,
    /// Sent with every request. Values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// Time of one attempt. Default 10 s.
    pub timeout: Duration,
    /// Certificates, if `https`.
    pub tls: TlsClientSpec,
    /// What is shown to the peer; none: nothing, or what `headers` hold.
    pub auth: Option<CredentialSpec>,
    /// Concurrent requests of one shard. Default 4.
    pub max_in_flight: NonZeroUsize,
    /// Several endpoints, several connections, and when an endpoint is left alone.
    pub spread: SpreadSpec,
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

/// Compression of a request or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
