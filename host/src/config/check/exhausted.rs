//! What becomes of records that cannot be delivered: kept, written to a file, or dropped.

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{OnExhausted, QuarantineSpec, QueueSpec};

use super::quarantine::quarantine;

/// The file for them, if there is one.
pub(super) fn dead_letter(
    report: &mut Report,
    exporter: &Spot,
    typed: Option<&raw::DeadLetter>,
) -> Option<QuarantineSpec> {
    let at = exporter.key("dead_letter");
    let file = typed?.file();
    if file.path.as_deref().unwrap_or_default().is_empty() {
        let mend = Some("name a file: `dead_letter: ./undelivered.jsonl`".to_owned());
        report.refuse(&at, "the path is missing", mend);
        return None;
    }
    quarantine(report, &at, &file)
}

/// What happens when the retries are exhausted.
pub(super) fn on_exhausted(
    report: &mut Report,
    exporter: &Spot,
    raw: Option<raw::OnExhausted>,
    queue: &QueueSpec,
    has_file: bool,
) -> OnExhausted {
    let at = exporter.key("retry_on_failure").key("on_exhausted");
    if raw.is_some() && *queue == QueueSpec::None {
        let what = "with `queue: none` the client is told, and comes again: there is nothing to decide here";
        report.refuse(&at, what, Some("remove it, or give the exporter a queue".to_owned()));
    }
    if raw == Some(raw::OnExhausted::DeadLetter) && !has_file {
        let mend = Some("add `dead_letter: ./undelivered.jsonl` to the exporter".to_owned());
        report.refuse(&at, "there is no dead-letter file to write to", mend);
    }
    match raw {
        Some(raw::OnExhausted::Keep) => OnExhausted::Keep,
        Some(raw::OnExhausted::DeadLetter) => OnExhausted::DeadLetter,
        Some(raw::OnExhausted::Drop) => OnExhausted::Drop,
        None if matches!(queue, QueueSpec::Durable(_)) => OnExhausted::Keep,
        None if has_file => OnExhausted::DeadLetter,
        None => OnExhausted::Drop,
    }
}
