//! Receivers as they are typed.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Admission, Auth, Cors, RateLimit, ServerTls, Timeouts};
use crate::config::spec;
use crate::config::value::{Size, Time};

/// The `otlp` receiver: OTLP over gRPC and HTTP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct OtlpReceiver {
    /// What is listened for. Left out: both, with their defaults.
    pub protocols: Option<Protocols>,
}

/// The protocols of an `otlp` receiver: those that are named are listened for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Protocols {
    /// OTLP/gRPC; `grpc:` alone means its defaults.
    #[schemars(with = "Option<GrpcServer>")]
    pub grpc: Named<GrpcServer>,
    /// OTLP/HTTP, protobuf and JSON; `http:` alone means its defaults.
    #[schemars(with = "Option<HttpServer>")]
    pub http: Named<HttpServer>,
}

/// Something that is there as soon as its key is, even with nothing behind it.
#[derive(Debug)]
pub(in crate::config) struct Named<T>(pub Option<T>);

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
pub(in crate::config) struct GrpcServer {
    /// `host:port` to listen on; port 0 asks for any.
    pub endpoint: String,
    /// What one request may be.
    pub limits: Limits,
    /// Requests that one connection may have open.
    pub max_concurrent_streams: u64,
    /// After how long a client is asked to connect again, so that load spreads. Left out: never.
    pub max_connection_age: Option<Time>,
    /// What it takes on at a time.
    pub admission: Admission,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// How often each client may come. Left out: as often as it likes.
    pub rate_limit: Option<RateLimit>,
    /// TLS. Left out: plaintext.
    pub tls: Option<ServerTls>,
    /// Credentials of clients. Left out: nobody is asked.
    pub auth: Option<Auth>,
}

impl Default for GrpcServer {
    fn default() -> Self {
        GrpcServer {
            endpoint: "127.0.0.1:4317".to_owned(),
            limits: Limits::default(),
            max_concurrent_streams: 128,
            max_connection_age: None,
            admission: Admission::default(),
            timeouts: Timeouts::default(),
            rate_limit: None,
            tls: None,
            auth: None,
        }
    }
}

/// The server side of OTLP/HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct HttpServer {
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
    /// Requests that one connection of HTTP/2 may have open.
    pub max_concurrent_streams: u64,
    /// What it takes on at a time.
    pub admission: Admission,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// How often each client may come. Left out: as often as it likes.
    pub rate_limit: Option<RateLimit>,
    /// TLS. Left out: plaintext.
    pub tls: Option<ServerTls>,
    /// Credentials of clients. Left out: nobody is asked.
    pub auth: Option<Auth>,
    /// Web pages that may send. Left out: none.
    pub cors: Option<Cors>,
}

impl Default for HttpServer {
    fn default() -> Self {
        HttpServer {
            endpoint: "127.0.0.1:4318".to_owned(),
            limits: Limits::default(),
            traces_url_path: "/v1/traces".to_owned(),
            metrics_url_path: "/v1/metrics".to_owned(),
            logs_url_path: "/v1/logs".to_owned(),
            max_concurrent_streams: 128,
            admission: Admission::default(),
            timeouts: Timeouts::default(),
            rate_limit: None,
            tls: None,
            auth: None,
            cors: None,
        }
    }
}

/// What one request may be. What is over a limit is refused and counted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Limits {
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
pub(in crate::config) struct Replay {
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
pub(in crate::config) enum ReplayMode {
    /// Once; a run whose receivers are all through ends.
    #[default]
    Once,
    /// Again and again.
    Loop,
}
