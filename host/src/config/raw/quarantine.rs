//! Quarantine as it is typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Size;
use crate::dead_letter;

/// Where a stage puts records that its plugin cannot take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Quarantine {
    /// The file.
    pub path: Option<String>,
    /// Size of one file.
    pub max_bytes: Size,
    /// Rotated files that are kept; older ones are deleted.
    pub max_backups: u64,
}

impl Default for Quarantine {
    fn default() -> Self {
        let limits = dead_letter::Limits::default();
        Quarantine { path: None, max_bytes: Size(limits.max_bytes), max_backups: limits.max_backups as u64 }
    }
}
