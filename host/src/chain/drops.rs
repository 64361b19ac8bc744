//! What a step drops, and why.

/// Why a step dropped records; the names are those of `sluicebox_dropped_records_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// A filter said so.
    Filtered,
    /// A sampler said so.
    Sampled,
    /// The plugin faulted, and its stage says `on_error: drop`.
    Fault,
    /// The plugin faults on the record, which is in the stage's dead-letter file.
    Quarantined,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 4] =
        [DropReason::Filtered, DropReason::Sampled, DropReason::Fault, DropReason::Quarantined];

    /// As in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::Filtered => "filtered",
            DropReason::Sampled => "sampled",
            DropReason::Fault => "plugin_fault",
            DropReason::Quarantined => "quarantined",
        }
    }
}

/// Records that a step dropped; counted when the request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    /// Position of the step in its chain.
    pub step: usize,
    /// Why.
    pub reason: DropReason,
    /// How many; never 0.
    pub records: u64,
}
