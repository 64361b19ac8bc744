//! A chain: the stages of one pipeline, over one projection.
//!
//! ```text
//! bytes ─walk─► batch ─step─► batch ─step─► … ─splice─► payload
//! ```
//! A step drops rows or edits columns; the bytes are touched once, by the splice. The chain is made of plans, which
//! plugins answer with when they are configured; it never changes afterwards.

mod answer;
mod auditor;
mod build;
mod drops;
mod pieces;
mod policy;
mod probe;
mod sampling;
mod search;
mod stage;
#[cfg(test)]
mod tests;
mod threshold;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;

use self::auditor::Auditor;
pub use self::build::{BuildFault, StepSpec, build};
pub use self::drops::{DropReason, Drops};
pub use self::stage::Step;
use crate::audit::Ring;
use crate::data::Signal;
use crate::data::batch::Rejection;
use crate::data::intake::Refusal;
use crate::data::payload::Payload;
use crate::data::projection::Projection;
use crate::data::splice::splice;
use crate::data::walk::{Limits, walk};

/// The stages of one pipeline, ready to run on every shard.
pub struct Chain {
    projection: Arc<Projection>,
    steps: Vec<Step>,
    /// For each step a counter a reason.
    dropped: Vec<[Counter; DropReason::ALL.len()]>,
    /// Tells the drop audit of records that the walk rejects.
    rejections: Option<Auditor>,
}

/// What a chain made of one request.
#[derive(Debug)]
pub struct Outcome {
    /// What goes on; none if nothing is left.
    pub payload: Option<Payload>,
    /// Records of the request.
    pub received: u64,
    /// Records that were rejected for good, by reason.
    pub rejected: BTreeMap<Rejection, u64>,
    /// Records that stages dropped.
    pub drops: Vec<Drops>,
}

impl Chain {
    /// Its stages, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// Gives the drop audit examples of records that are rejected before the first stage.
    pub fn audit_rejections(self, pipeline: &str, ring: Option<Arc<Ring>>) -> Chain {
        Chain { rejections: ring.map(|ring| Auditor::of_rejections(ring, pipeline)), ..self }
    }

    /// The pipeline's signal.
    pub fn signal(&self) -> Signal {
        self.projection.signal()
    }

    /// Runs one request through all stages, on a shard. Nothing is counted as dropped yet: see [`Chain::settle`].
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if the bytes are no request of the signal; [`Refusal::Busy`] if a stage with
    /// `on_error: reject` faulted.
    pub async fn run(&self, shard: usize, bytes: &Bytes, limits: Limits) -> Result<Outcome, Refusal> {
        let mut batch = walk(bytes, &self.projection, limits)
            .map_err(|error| Refusal::Malformed(format!("not a valid OTLP {} request: {error}", self.signal())))?;
        let mut rejected = BTreeMap::new();
        if let (Some(auditor), false) = (&self.rejections, batch.rejected.is_empty()) {
            auditor.rejected(&batch);
        }
        for (_, rejection) in &batch.rejected {
            *rejected.entry(*rejection).or_insert(0) += 1;
        }
        let received = batch.rows() as u64;
        let mut drops = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let tally = step.run(shard, &mut batch).await?;
            let by_reason = [
                (step.choice(), tally.chosen),
                (DropReason::Fault, tally.faulted),
                (DropReason::Quarantined, tally.quarantined),
            ];
            let some = by_reason.into_iter().filter(|(_, records)| *records > 0);
            drops.extend(some.map(|(reason, records)| Drops { step: index, reason, records }));
        }
        let payload = splice(&batch).map(|spliced| Payload {
            signal: self.signal(),
            bytes: spliced.bytes,
            records: spliced.records,
        });
        Ok(Outcome { payload, received, rejected, drops })
    }

    /// Counts what stages dropped of a request, now that it is taken.
    pub fn settle(&self, outcome: &Outcome) {
        for drops in &outcome.drops {
            if let Some(counter) = self.dropped.get(drops.step).and_then(|step| step.get(drops.reason as usize)) {
                counter.inc_by(drops.records);
            }
        }
    }
}
