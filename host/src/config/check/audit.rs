//! The drop audit.

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::AuditSpec;

/// The most examples that a stage can keep: each takes some kilobytes.
const EXAMPLES_MAX: u64 = 10_000;

/// Reads what is kept of dropped records.
pub(super) fn audit(report: &mut Report, spot: &Spot, raw: raw::Audit) -> AuditSpec {
    if raw.examples > EXAMPLES_MAX {
        report.refuse(&spot.key("examples"), format!("more than {EXAMPLES_MAX} examples of a stage"), None);
    }
    AuditSpec { examples: raw.examples.min(EXAMPLES_MAX) as usize, values: raw.values, redact: raw.redact }
}
