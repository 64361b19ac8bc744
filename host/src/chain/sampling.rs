//! What the host does with a sampler's probabilities: draws, consistently by trace id, and writes the threshold.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use prometheus_client::metrics::counter::Counter;
use smallvec::SmallVec;

use super::threshold::{Threshold, TraceState, randomness_of};
use crate::data::batch::Batch;
use crate::data::column::{Decisions, Value};
use crate::telemetry::metrics::{DecisionLabels, Metrics, StageLabels};

/// Probabilities that are remembered of a batch. One that has more is decided all the same, and makes some anew.
const RATES_MAX: usize = 4;

/// Positions of the columns that the host needs to draw, and the counters of each reason.
pub struct Sampling {
    trace_id: usize,
    /// Logs have none.
    trace_state: Option<usize>,
    /// For each reason of the plan: kept, dropped.
    counters: Vec<[Counter; 2]>,
}

impl Sampling {
    pub(super) fn new(
        trace_id: usize,
        trace_state: Option<usize>,
        reasons: &[String],
        metrics: &Metrics,
        labels: &StageLabels,
    ) -> Sampling {
        let counter = |reason: &String, decision| {
            let StageLabels { pipeline, processor, plugin, plugin_version } = labels.clone();
            let reason = reason.clone();
            let labels = DecisionLabels { pipeline, processor, plugin, plugin_version, reason, decision };
            metrics.sampler_decisions.get_or_create_owned(&labels)
        };
        let counters = reasons.iter().map(|reason| [counter(reason, "kept"), counter(reason, "dropped")]).collect();
        Sampling { trace_id, trace_state, counters }
    }

    /// How many reasons the plan names.
    pub(super) fn reasons(&self) -> usize {
        self.counters.len()
    }

    /// Drops what is not kept, and writes into kept spans by which threshold they were.
    pub(super) fn decide(&self, batch: &mut Batch, decisions: &Decisions) {
        let mut counts = vec![[0u64; 2]; self.counters.len()];
        let mut rates = Rates::default();
        let mut header = String::new();
        for (row, (&probability, &reason)) in decisions.probabilities.iter().zip(&decisions.reasons).enumerate() {
            if !batch.is_live(row) {
                continue;
            }
            let kept = self.decide_row(batch, row, rates.of(probability), &mut header);
            if let Some(count) = counts.get_mut(usize::from(reason)).and_then(|pair| pair.get_mut(usize::from(!kept))) {
                *count += 1;
            }
        }
        for (counters, counts) in self.counters.iter().zip(counts) {
            counters.iter().zip(counts).filter(|(_, count)| *count > 0).for_each(|(counter, count)| {
                counter.inc_by(count);
            });
        }
    }

    /// Whether a record is kept; `written` is room for its header, used again for each.
    fn decide_row(&self, batch: &mut Batch, row: usize, rate: Option<&Rate>, written: &mut String) -> bool {
        let Some(Rate { threshold, alone }) = rate else {
            batch.drop_row(row);
            return false;
        };
        let Some(column) = self.trace_state else {
            return threshold.keeps(self.randomness(batch, row)) || drop_row(batch, row);
        };
        let Value::Text(header) = batch.value(column, row) else { return true };
        if header.is_empty() {
            // As in nearly all spans: there is nothing to read, and one text to write into all of them.
            let kept = threshold.keeps(self.randomness(batch, row)) || drop_row(batch, row);
            if kept {
                batch.set(column, row as u32, Value::Text(alone.as_bytes()));
            }
            return kept;
        }
        let state = TraceState::parse(std::str::from_utf8(header).unwrap_or_default());
        // Sampled harder already, by the same randomness: nothing to add.
        if state.threshold.is_some_and(|earlier| earlier >= *threshold) {
            return true;
        }
        let kept = threshold.keeps(state.randomness.unwrap_or_else(|| self.randomness(batch, row)));
        written.clear();
        written.push_str(alone);
        state.append_rest(written);
        drop(state);
        if !kept {
            return drop_row(batch, row);
        }
        batch.set(column, row as u32, Value::Text(written.as_bytes()));
        true
    }

    /// Randomness of a record: that of its trace, or for a record without one a hash of its bytes, so that a request
    /// that comes again is decided alike.
    fn randomness(&self, batch: &Batch, row: usize) -> u64 {
        if let Value::Bytes(trace_id) = batch.value(self.trace_id, row)
            && let Some(randomness) = randomness_of(trace_id)
        {
            return randomness;
        }
        let at = batch.layout.records.get(row).copied().unwrap_or_default();
        let bytes = batch.bytes.get(at.start as usize..at.end as usize).unwrap_or_default();
        FixedState::with_seed(0).hash_one(bytes) >> 8
    }
}

/// The probabilities that a batch was decided by lately: a sampler has few, and takes turns with them.
#[derive(Default)]
struct Rates(SmallVec<[(f64, Option<Rate>); RATES_MAX]>);

impl Rates {
    /// None: nothing is kept.
    fn of(&mut self, probability: f64) -> Option<&Rate> {
        let at = self.0.iter().position(|(known, _)| *known == probability).unwrap_or_else(|| {
            if self.0.len() == RATES_MAX {
                self.0.clear();
            }
            self.0.push((probability, Threshold::from_probability(probability).map(Rate::new)));
            self.0.len() - 1
        });
        self.0.get(at).and_then(|(_, rate)| rate.as_ref())
    }
}

/// A probability, ready to be drawn by.
struct Rate {
    threshold: Threshold,
    /// The header of a span that had none.
    alone: String,
}

impl Rate {
    fn new(threshold: Threshold) -> Rate {
        Rate { threshold, alone: TraceState::default().with_threshold(threshold) }
    }
}

/// Drops a row: it is not kept.
fn drop_row(batch: &mut Batch, row: usize) -> bool {
    batch.drop_row(row);
    false
}
