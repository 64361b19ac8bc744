//! Receivers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{AdmissionSpec, CorsSpec, RateLimitSpec, SecuritySpec, TimeoutsSpec};
use crate::data::Signal;

/// A receiver.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a run has a handful of them")]
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
    /// What it takes on at a time.
    pub admission: AdmissionSpec,
    /// How long clients may take.
    pub timeouts: TimeoutsSpec,
    /// How often each client may come; none: as often as it likes. Default none.
    pub rate_limit: Option<RateLimitSpec>,
    /// What clients have to show. Default nothing.
    pub security: SecuritySpec,
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
    /// Streams that one connection of HTTP/2 may have open. Default 128.
    pub max_concurrent_streams: u32,
    /// What it takes on at a time.
    pub admission: AdmissionSpec,
    /// How long clients may take.
    pub timeouts: TimeoutsSpec,
    /// How often each client may come; none: as often as it likes. Default none.
    pub rate_limit: Option<RateLimitSpec>,
    /// What clients have to show. Default nothing.
    pub security: SecuritySpec,
    /// Which web pages may send; none: no page may.
    pub cors: Option<CorsSpec>,
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
