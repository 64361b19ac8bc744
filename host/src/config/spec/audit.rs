//! The drop audit.

/// What is kept of dropped records, and what of it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSpec {
    /// Examples of each stage; 0: none. Default 64.
    pub examples: usize,
    /// Whether values of the fields that plugins read are shown. Default false.
    pub values: bool,
    /// Paths of fields whose values are never shown.
    pub redact: Vec<String>,
}

impl Default for AuditSpec {
    fn default() -> Self {
        AuditSpec { examples: 64, values: false, redact: Vec::new() }
    }
}
