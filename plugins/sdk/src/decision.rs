//! A sampler's answer.

use crate::Batch;

/// Why a sampler decided as it did: an enum with `#[derive(Reason)]`, whose variants (`SlowService`) become the
/// names by which the host counts (`slow_service`). At most 256.
pub trait Reason: Copy + 'static {
    /// The names, in the order of the positions.
    const NAMES: &'static [&'static str];

    /// The position of this reason in [`Reason::NAMES`].
    fn position(self) -> u8;
}

/// With what probability a record is kept, and why.
///
/// The host draws, consistently by trace id, so that a trace is kept or dropped as a whole, and writes the
/// threshold into the span's `tracestate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision<R> {
    /// From 0 (drop) to 1 (keep).
    pub probability: f64,
    /// Why.
    pub reason: R,
}

impl<R> Decision<R> {
    /// Kept.
    pub const fn keep(reason: R) -> Self {
        Decision { probability: 1.0, reason }
    }

    /// Dropped.
    pub const fn drop(reason: R) -> Self {
        Decision { probability: 0.0, reason }
    }

    /// Kept with a probability between 0 and 1.
    pub const fn rate(probability: f64, reason: R) -> Self {
        Decision { probability, reason }
    }
}

/// A decision for every row: a sampler's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    pub(crate) probabilities: Vec<f64>,
    pub(crate) reasons: Vec<u8>,
}

impl Decisions {
    /// Asks for a decision on every live row; the host ignores the others.
    #[inline]
    pub fn ask<R: Reason>(batch: &Batch, mut decide: impl FnMut(usize) -> Decision<R>) -> Self {
        let rows = batch.rows();
        let mut decisions = Decisions { probabilities: vec![1.0; rows], reasons: vec![0; rows] };
        let answers = decisions.probabilities.iter_mut().zip(&mut decisions.reasons);
        for (row, (probability, reason)) in answers.enumerate() {
            if batch.live_byte(row / 8) & 1 << (row % 8) != 0 {
                let decision = decide(row);
                *probability = decision.probability;
                *reason = decision.reason.position();
            }
        }
        decisions
    }
}
