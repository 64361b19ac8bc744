//! What becomes of records on which a plugin faulted: all of a batch, or those that a search has found.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::auditor::{Auditor, Before};
use super::drops::DropReason;
use super::pieces::join;
use super::search::{Findings, Part};
use super::stage::{StepFault, Tally};
use crate::config::spec::OnError;
use crate::data::Signal;
use crate::data::batch::Batch;
use crate::data::intake::Refusal;
use crate::dead_letter::{DeadLetter, Why};
use crate::plugin::Fault;
use crate::report;
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::StageLabels;

/// When a client may send a request again that a faulting plugin kept from being taken.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Lines a second that a stage's faults may fill the log with, and lines at once after a silence.
const LINES_PER_SECOND: f64 = 1.0;
const LINES_AT_ONCE: f64 = 10.0;

/// What a stage does about faults.
pub struct Policy {
    on_error: OnError,
    quarantine: Option<DeadLetter>,
    auditor: Option<Auditor>,
    labels: StageLabels,
    lines: Lines,
}

/// What a search found, sorted by what becomes of it.
#[derive(Default)]
struct Sorted {
    /// What goes on, in the order of the batch.
    on: Vec<Bytes>,
    poison: Vec<(Bytes, String)>,
    /// Records that `on_error: drop` ends.
    faulted: u64,
    /// Records of which nothing was found out.
    rest: u64,
    found: u64,
}

impl Policy {
    pub(super) fn new(
        on_error: OnError,
        quarantine: Option<DeadLetter>,
        auditor: Option<Auditor>,
        labels: StageLabels,
    ) -> Policy {
        Policy { on_error, quarantine, auditor, labels, lines: Lines::new(LINES_PER_SECOND, LINES_AT_ONCE) }
    }

    /// Whether anything can be done about some records of a batch alone. A client cannot be told to send some of them
    /// again, so with nothing but `reject` a search would be in vain; and of one record nothing need be found out,
    /// unless it is to be quarantined.
    pub(super) fn wants_search(&self, records: usize) -> bool {
        self.quarantine.is_some() || (records > 1 && self.on_error != OnError::Reject)
    }

    /// Who tells the drop audit of a batch, and what was alive of it; mostly none.
    pub(super) fn auditing(&self, batch: &Batch) -> Option<(&Auditor, Before)> {
        let auditor = self.auditor.as_ref()?;
        Some((auditor, auditor.before(batch)?))
    }

    /// Tells the drop audit of a record that makes the plugin fault, if that ends it.
    pub(super) fn audit_poison(&self, poison: &Batch, error: &str) {
        let reason = match (&self.quarantine, self.on_error) {
            (Some(_), _) => DropReason::Quarantined,
            (None, OnError::Drop) => DropReason::Fault,
            (None, _) => return,
        };
        if let Some(auditor) = &self.auditor {
            auditor.lost(poison, reason, error);
        }
    }

    /// Does what the stage says about a batch of which nothing is known but the fault.
    pub(super) fn all(&self, fault: &StepFault, batch: &mut Batch) -> Result<Tally, Refusal> {
        let records = batch.live_rows() as u64;
        self.warn(fault, || {
            let action = match self.on_error {
                OnError::Pass => "the batch goes on as if the stage were not there",
                OnError::Drop => "the batch is dropped",
                OnError::Reject => "the client is told to try again",
            };
            action.to_owned()
        });
        match self.on_error {
            OnError::Pass => Ok(Tally::default()),
            OnError::Drop => {
                if let Some(auditor) = &self.auditor {
                    auditor.lost(batch, DropReason::Fault, &report::chain(fault));
                }
                batch.retain(&[]);
                Ok(Tally { faulted: records, ..Tally::default() })
            }
            OnError::Reject => Err(self.refusal(fault)),
        }
    }

    /// Does what the stage says about each part of a batch; the batch is afterwards what goes on.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if the quarantine does not take a record, or a rest is left and the client is to be told.
    pub(super) async fn each(
        &self,
        fault: &StepFault,
        findings: Findings,
        batch: &mut Batch,
    ) -> Result<Tally, Refusal> {
        let records = batch.live_rows();
        let sorted = self.sort(findings);
        if sorted.rest > 0 && self.on_error == OnError::Reject {
            return self.all(fault, batch);
        }
        let joined = match join(&sorted.on, &batch.projection) {
            Ok(joined) => joined,
            Err(error) => {
                tracing::error!(processor = self.labels.processor, "the pieces of a batch cannot be read: {error}");
                return self.all(fault, batch);
            }
        };
        let tally =
            Tally { chosen: 0, faulted: sorted.faulted, quarantined: self.quarantine(batch, &sorted.poison).await? };
        self.warn(fault, || self.story(&sorted, records));
        match joined {
            Some(joined) => *batch = joined,
            None => batch.retain(&[]),
        }
        Ok(tally)
    }

    fn sort(&self, findings: Findings) -> Sorted {
        let mut sorted = Sorted::default();
        for part in findings.parts {
            match (part, self.on_error) {
                (Part::Done(bytes), _) => sorted.on.push(bytes),
                (Part::Poison(bytes, error), on_error) => {
                    sorted.found += 1;
                    match (&self.quarantine, on_error) {
                        (Some(_), _) => sorted.poison.push((bytes, error)),
                        (None, OnError::Pass) => sorted.on.push(bytes),
                        (None, _) => sorted.faulted += 1,
                    }
                }
                (Part::Rest(bytes, records), on_error) => {
                    sorted.rest += records;
                    match on_error {
                        OnError::Pass => sorted.on.push(bytes),
                        _ => sorted.faulted += records,
                    }
                }
            }
        }
        sorted
    }

    /// Writes the poison down; the answer is how much of it.
    async fn quarantine(&self, batch: &Batch, poison: &[(Bytes, String)]) -> Result<u64, Refusal> {
        let Some(file) = &self.quarantine else { return Ok(0) };
        let signal: Signal = batch.signal();
        let writes = poison.iter().map(|(bytes, error)| {
            let why = self.why(error.clone());
            async move { file.write(signal, bytes.clone(), 1, &why).await }
        });
        match try_join_all(writes).await {
            Ok(written) => Ok(written.len() as u64),
            Err(error) => {
                let processor = &self.labels.processor;
                let reason =
                    format!("a record that the plugin of `{processor}` fails on cannot be quarantined: {error}");
                tracing::error!("{reason}; the client is told to try again");
                Err(Refusal::Busy { reason, retry_after: RETRY_AFTER })
            }
        }
    }

    fn why(&self, error: String) -> Why {
        let StageLabels { processor, plugin, plugin_version, .. } = self.labels.clone();
        Why {
            component: processor,
            plugin: Some(plugin),
            version: Some(plugin_version),
            reason: DropReason::Quarantined.name(),
            error,
        }
    }

    fn refusal(&self, fault: &StepFault) -> Refusal {
        let reason = format!("plugin of `{}` failed: {fault}", self.labels.processor);
        Refusal::Busy { reason, retry_after: RETRY_AFTER }
    }

    /// What became of a batch that was searched.
    fn story(&self, sorted: &Sorted, records: usize) -> String {
        let fate = match (&self.quarantine, self.on_error) {
            (Some(file), _) => format!("are in {}", file.path().display()),
            (None, OnError::Pass) => "go on as if the stage were not there".to_owned(),
            (None, _) => "are dropped".to_owned(),
        };
        let rest = match (sorted.rest, self.on_error) {
            (0, _) => String::new(),
            (rest, OnError::Pass) => format!("; a limit ended the search: another {rest} go on as they are"),
            (rest, _) => format!("; a limit ended the search: another {rest} are dropped"),
        };
        format!("{} of {records} records make it fault, and {fate}{rest}", sorted.found)
    }

    /// Says so, unless too much was said already.
    fn warn(&self, fault: &StepFault, action: impl FnOnce() -> String) {
        // While the plugin is not called, its breaker has said so once; a line a batch would say nothing new.
        if matches!(fault, StepFault::Fault(Fault::Open(_))) {
            return;
        }
        let Some(unsaid) = self.lines.take() else { return };
        let StageLabels { pipeline, processor, plugin, plugin_version } = &self.labels;
        // Recorded only when there is something to tell.
        let unsaid = (unsaid > 0).then_some(unsaid);
        tracing::warn!(
            pipeline,
            processor,
            plugin,
            version = plugin_version,
            fault = fault.kind(),
            unsaid,
            "{}; {}",
            report::chain(fault),
            action()
        );
    }
}
