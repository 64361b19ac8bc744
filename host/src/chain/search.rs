//! The search for poison: when a plugin faults on a batch, which records alone make it fault?
//!
//! The batch is halved, and what faults is halved again, until it is one record: that is poison. Everything that was
//! answered on the way stays answered. With one poison record among a thousand that is some twenty calls.
//!
//! What bounds it: the stage's `limits.search_time` and `limits.search_records`; twice the halvings for each record
//! that may be found; and, for a plugin that answers for nothing at all, a few times the halvings of one. The slot sees to
//! the share of the time that all searches together may have. What is left when a limit bites follows `on_error` as a
//! whole.
//!
//! Memory: every record lies in one piece or part at a time, so beside the batch there are at most two more copies of
//! its bytes, and its columns.
//!
//! The plugin sees records several times over: its own counters, log lines and host-kept state say so.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::pieces::halves;
use super::stage::{Step, StepFault};
use crate::data::batch::Batch;
use crate::data::splice::splice;
use crate::data::wire::Malformed;
use crate::plugin::Slot;
use crate::report;

/// Faults after which a plugin that has answered nothing is believed to be broken: so many for each halving that leads
/// to a record, and some more, so that poison records side by side are found all the same.
const FAULTS_PER_HALVING: u32 = 4;
const FAULTS_EXTRA: u32 = 8;

/// A part of the batch, after the search.
#[derive(Debug)]
pub(super) enum Part {
    /// Answered for: what the answer has left of it.
    Done(Bytes),
    /// One record, on which the plugin faults, and how.
    Poison(Bytes, String),
    /// Not answered for, and not looked at further.
    Rest(Bytes, u64),
}

/// What a search found.
#[derive(Debug)]
pub(super) struct Findings {
    /// In the order of the batch.
    pub parts: Vec<Part>,
    /// Whether anything was answered for, or everything looked at: if not, nothing is known of any record.
    pub means_something: bool,
}

/// What is known of a piece that was not settled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nothing.
    Nothing,
    /// The whole that it is half of faulted, and the other half did not: not worth a call before it is halved.
    Suspect,
    /// It faulted.
    Faults,
}

/// A search that goes on.
struct Search<'a> {
    step: &'a Step,
    slot: &'a mut Slot,
    bounds: Bounds,
    /// Pieces that are not settled, the first one of the batch on top.
    open: Vec<(Batch, Known)>,
    parts: Vec<Part>,
    poison: usize,
    answers: u32,
    faults: u32,
}

/// When a search ends without having settled everything.
struct Bounds {
    until: Instant,
    calls: u32,
    poison: usize,
    faults_without_answer: u32,
}

impl Bounds {
    fn new(rows: usize, time: Duration, poison: usize) -> Bounds {
        let halvings = usize::BITS - rows.leading_zeros();
        let calls = u32::try_from(poison).unwrap_or(u32::MAX).saturating_mul(2 * halvings);
        Bounds {
            until: Instant::now() + time,
            calls,
            poison,
            faults_without_answer: FAULTS_PER_HALVING * halvings + FAULTS_EXTRA,
        }
    }
}

/// Searches a batch on which the plugin has faulted, within the time. The batch stays as it is.
///
/// # Errors
/// [`Malformed`] if what the host wrote cannot be walked over, which would be the host's own mistake.
pub(super) async fn search(
    step: &Step,
    slot: &mut Slot,
    batch: &mut Batch,
    fault: &StepFault,
    time: Duration,
) -> Result<Findings, Malformed> {
    let limits = step.limits();
    let bounds = Bounds::new(batch.live_rows(), time, limits.search_records);
    let (open, parts) = (Vec::new(), Vec::new());
    let mut search = Search { step, slot, bounds, open, parts, poison: 0, answers: 0, faults: 0 };
    search.faulted(batch, fault).await?;
    while let Some((piece, known)) = search.open.pop() {
        search.settle(piece, known).await?;
    }
    let mut findings = Findings { means_something: search.answers > 0, parts: search.parts };
    findings.means_something |= findings.is_complete();
    Ok(findings)
}

impl Findings {
    /// Whether every record was either answered for or found to be poison.
    pub fn is_complete(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Rest(..)))
    }
}

impl Search<'_> {
    async fn settle(&mut self, mut piece: Batch, known: Known) -> Result<(), Malformed> {
        if self.is_over() || (known == Known::Faults && self.has_enough()) {
            self.leave(&piece);
            return Ok(());
        }
        if known != Known::Nothing && piece.rows() > 1 && !self.has_enough() {
            return self.halve(&mut piece).await;
        }
        match self.call(&mut piece).await {
            Ok(()) => {
                self.done(&piece);
                Ok(())
            }
            Err(fault) => self.faulted(&mut piece, &fault).await,
        }
    }

    /// The plugin has faulted on a piece: it is poison, or halved.
    async fn faulted(&mut self, piece: &mut Batch, fault: &StepFault) -> Result<(), Malformed> {
        if self.has_enough() {
            self.leave(piece);
        } else if piece.live_rows() > 1 {
            return self.halve(piece).await;
        } else {
            self.found(piece, fault);
        }
        Ok(())
    }

    /// Asks about the first half; the second is kept for later.
    async fn halve(&mut self, piece: &mut Batch) -> Result<(), Malformed> {
        let Some(halves) = halves(piece) else { return Ok(()) };
        let (mut first, second) = halves?;
        if self.is_over() {
            self.open.extend([(second, Known::Nothing), (first, Known::Nothing)]);
            return Ok(());
        }
        match self.call(&mut first).await {
            Ok(()) => {
                self.done(&first);
                self.open.push((second, Known::Suspect));
            }
            Err(fault) if first.rows() == 1 => {
                self.found(&first, &fault);
                self.open.push((second, Known::Nothing));
            }
            Err(_) => self.open.extend([(second, Known::Nothing), (first, Known::Faults)]),
        }
        Ok(())
    }

    async fn call(&mut self, piece: &mut Batch) -> Result<(), StepFault> {
        let result = self.step.call(self.slot, piece).await;
        match &result {
            Ok(()) => self.answers += 1,
            Err(fault) => {
                self.faults += 1;
                self.step.count(fault);
            }
        }
        result
    }

    fn found(&mut self, poison: &Batch, fault: &StepFault) {
        self.poison += 1;
        let error = report::chain(fault);
        self.step.policy().audit_poison(poison, &error);
        self.parts.extend(splice(poison).map(|poison| Part::Poison(poison.bytes, error)));
    }

    fn leave(&mut self, piece: &Batch) {
        self.parts.extend(splice(piece).map(|rest| Part::Rest(rest.bytes, rest.records)));
    }

    fn done(&mut self, piece: &Batch) {
        self.parts.extend(splice(piece).map(|done| Part::Done(done.bytes)));
    }

    /// Whether as many records were found as may be: what is left has one call, and is not halved any more.
    fn has_enough(&self) -> bool {
        self.poison >= self.bounds.poison
    }

    fn is_over(&self) -> bool {
        let Bounds { until, calls, faults_without_answer, .. } = self.bounds;
        self.answers + self.faults >= calls
            || (self.answers == 0 && self.faults >= faults_without_answer)
            || Instant::now() >= until
    }
}
