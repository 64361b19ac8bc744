//! Asks an instance about a batch, and holds its answer against the batch.

use super::stage::StepFault;
use crate::data::batch::Batch;
use crate::data::column::{Decisions, Edit, View};
use crate::data::overlay::AnswerProblem;
use crate::plugin::{Fault, Kind, Slot};

/// What a plugin answers, by its kind.
pub(super) enum Answer {
    /// A filter's bitmap.
    Keep(Vec<u8>),
    /// A sampler's decisions.
    Decisions(Decisions),
    /// A transform's edits; they are checked when they are applied.
    Edits(Vec<Edit>),
}

/// Calls the instance.
pub(super) async fn ask(slot: &mut Slot, view: &View<'_>) -> Result<Answer, Fault> {
    match slot.stage().plugin().kind() {
        Kind::Filter => slot.filter(view).await.map(Answer::Keep),
        Kind::Sampler => slot.sample(view).await.map(Answer::Decisions),
        Kind::Transform => slot.transform(view).await.map(Answer::Edits),
    }
}

/// A bitmap has a bit for every row.
pub(super) fn check_bitmap(keep: &[u8], rows: usize) -> Result<(), StepFault> {
    let expected = rows.div_ceil(8);
    if keep.len() == expected {
        return Ok(());
    }
    Err(AnswerProblem::Bitmap { got: keep.len(), rows, expected }.into())
}

/// Decisions have a probability and a reason of the plan for every row that is alive.
pub(super) fn check_decisions(decisions: &Decisions, reasons: usize, batch: &Batch) -> Result<(), StepFault> {
    let rows = batch.rows();
    for got in [decisions.probabilities.len(), decisions.reasons.len()] {
        if got != rows {
            return Err(AnswerProblem::Decisions { got, rows }.into());
        }
    }
    let pairs = decisions.probabilities.iter().zip(&decisions.reasons).enumerate();
    for (row, (probability, &reason)) in pairs.filter(|(row, _)| batch.is_live(*row)) {
        if !(0.0..=1.0).contains(probability) {
            return Err(AnswerProblem::Probability { row }.into());
        }
        if usize::from(reason) >= reasons {
            return Err(AnswerProblem::Reason { row, reason, reasons }.into());
        }
    }
    Ok(())
}
