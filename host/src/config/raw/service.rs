//! `service` as it is typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Audit, Auth, MemoryLimiter, ServerTls};

use crate::config::value::Time;

/// What concerns the whole process; in one file of a run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Service {
    /// The pipelines by id, `traces`, `metrics` or `logs`, with a name of one's own behind a `/`.
    #[schemars(with = "BTreeMap<String, Pipeline>")]
    pub pipelines: Ignored,
    /// What the process tells about itself.
    pub telemetry: Telemetry,
    /// Data threads. Left out: one a core.
    pub shards: Option<u64>,
    /// How long the pipelines may take to run empty at the end.
    pub shutdown_timeout: Option<Time>,
    /// Limits of the memory that telemetry holds.
    pub memory_limiter: Option<MemoryLimiter>,
}

/// Read elsewhere, piece by piece.
#[derive(Debug, Default)]
pub(in crate::config) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| Ignored)
    }
}

/// What the process tells about itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Telemetry {
    /// `host:port` of `/metrics`, `/healthz`, `/readyz` and `/status`, or `none`. Default `127.0.0.1:8888`.
    pub endpoint: Option<String>,
    /// Examples of dropped records, for `/audit`.
    pub audit: Option<Audit>,
    /// TLS there. Left out: plaintext.
    pub tls: Option<ServerTls>,
    /// Credentials there, except for `/healthz` and `/readyz`. Left out: nobody is asked.
    pub auth: Option<Auth>,
}

/// One pipeline.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Pipeline {
    /// Ids of the receivers that feed it; at least one.
    pub receivers: Vec<String>,
    /// Ids of the stages that it goes through, in order.
    pub processors: Vec<String>,
    /// Ids of the exporters that it goes to; at least one.
    pub exporters: Vec<String>,
}
