//! The memory limiter, as it is typed: the keys of the collector's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Time;

/// Limits of the memory that telemetry holds. The hard limit is never crossed; above the soft one, which is the hard
/// one less the spike, clients are told to come again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct MemoryLimiter {
    /// Whether there are any.
    pub enabled: bool,
    /// The hard limit, in MiB.
    pub limit_mib: Option<u64>,
    /// The hard limit, in percent of the memory of the machine or of the control group. Left out, like `limit_mib`: 75.
    pub limit_percentage: Option<u64>,
    /// How far the soft limit lies below, in MiB. Left out: a fifth of the limit.
    pub spike_limit_mib: Option<u64>,
    /// How far the soft limit lies below, in percent of the memory. Left out: a fifth of the limit.
    pub spike_limit_percentage: Option<u64>,
    /// Time between two looks at the memory of the whole process.
    pub check_interval: Time,
}

impl Default for MemoryLimiter {
    fn default() -> Self {
        MemoryLimiter {
            enabled: true,
            limit_mib: None,
            limit_percentage: None,
            spike_limit_mib: None,
            spike_limit_percentage: None,
            check_interval: Time(std::time::Duration::from_secs(1)),
        }
    }
}
