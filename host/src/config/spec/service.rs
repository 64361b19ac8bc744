//! What concerns the whole process.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::{AuditSpec, MemoryLimiterSpec, SecuritySpec};

/// What concerns the whole process.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Where `/metrics`, `/healthz`, `/readyz` and `/status` are served; none: nowhere. Default 127.0.0.1:8888.
    pub admin_endpoint: Option<String>,
    /// Examples of dropped records, for `/audit`.
    pub audit: AuditSpec,
    /// What has to be shown there, except to `/healthz` and `/readyz`. Default nothing.
    pub admin_security: SecuritySpec,
    /// Data threads; default one a core.
    pub shards: NonZeroUsize,
    /// How long a drain may take at the end. Default 30 s.
    pub shutdown_timeout: Duration,
    /// Limits of the memory that telemetry holds.
    pub memory_limiter: MemoryLimiterSpec,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        ServiceSpec {
            admin_endpoint: Some("127.0.0.1:8888".to_owned()),
            audit: AuditSpec::default(),
            admin_security: SecuritySpec::default(),
            shards: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            shutdown_timeout: Duration::from_secs(30),
            memory_limiter: MemoryLimiterSpec::default(),
        }
    }
}
