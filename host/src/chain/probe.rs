//! The probe: before a generation serves, each of its plugins answers a sample batch, so that one that only loads but
//! cannot run never meets real records.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::{Answer, ask, check_bitmap, check_decisions};
use super::stage::StepFault;
use crate::data::Signal;
use crate::data::batch::Batch;
use crate::data::json::{self, JsonLimits};
use crate::data::projection::Projection;
use crate::data::walk::{Limits, walk};
use crate::plugin::{Fault, Slot};

/// Has an instance answer the sample batch. The instance is thrown away: what it counted or learnt is not real.
///
/// # Errors
/// The plugin's fault. That it refuses the sample is none: it may know better than to take made-up records.
pub(super) async fn probe(
    projection: &Arc<Projection>,
    reads: &[usize],
    writes: &[usize],
    mut slot: Slot,
) -> Result<(), StepFault> {
    // A sample that cannot be read proves nothing; a test holds that all can.
    let Some(mut batch) = sample(projection) else { return Ok(()) };
    let answer = match ask(&mut slot, &batch.view(reads)).await {
        Err(Fault::Refused(_)) => return Ok(()),
        answer => answer?,
    };
    match answer {
        Answer::Keep(keep) => check_bitmap(&keep, batch.rows())?,
        Answer::Decisions(decisions) => check_decisions(&decisions, slot.plan().reasons.len(), &batch)?,
        Answer::Edits(edits) => drop(batch.apply(writes, &edits)?),
    }
    Ok(())
}

/// A batch of a few made-up records.
fn sample(projection: &Arc<Projection>) -> Option<Batch> {
    let text: &[u8] = match projection.signal() {
        Signal::Traces => include_bytes!("probe/traces.json"),
        Signal::Metrics => include_bytes!("probe/metrics.json"),
        Signal::Logs => include_bytes!("probe/logs.json"),
    };
    let bytes = json::decode(projection.signal(), text, &JsonLimits::default()).ok()?;
    walk(&Bytes::from(bytes), projection, Limits::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_hold_records_of_every_signal() {
        for signal in Signal::ALL {
            let batch = sample(&Arc::new(Projection::empty(signal))).unwrap();
            assert!(batch.rows() >= 2 && batch.rejected.is_empty(), "{signal}");
        }
    }
}
