//! The drop audit as it is typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::spec;

/// Examples of dropped records, for `/audit`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Audit {
    /// Examples that are kept of each stage; 0: none.
    pub examples: u64,
    /// Whether values of the fields that plugins read are shown, shortened.
    pub values: bool,
    /// Paths of fields whose values are never shown.
    pub redact: Vec<String>,
}

impl Default for Audit {
    fn default() -> Self {
        let spec::AuditSpec { examples, values, redact } = spec::AuditSpec::default();
        Audit { examples: examples as u64, values, redact }
    }
}
