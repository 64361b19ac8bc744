//! The drop audit: examples of records that were dropped, and by which rule. It answers what users of every collector
//! ask: which rule dropped my span?
//!
//! Each stage of each pipeline has a [`Ring`] of the last examples, of a bounded number and size. A stage offers some
//! of what it drops, at most [`AT_ONCE`] records of a batch and one batch a second; while that is used up, a batch
//! costs one look at a number. `/audit` shows the rings.
//!
//! What is shown: ids, names and the *names* of the fields that the plugin reads. Their values are the users' data,
//! and are shown only if `service.telemetry.audit.values` says so, shortened, and never those of fields in `redact`.
//!
//! An example is taken when the stage decides. Should the request then be refused because a destination is full, the
//! client sends it again, and it is decided again: the counters (`sluicebox_dropped_records_total`) are exact, examples
//! are examples.

mod example;
mod fields;
mod identity;
mod query;
mod ring;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

pub use self::example::{Example, Field, Record};
pub use self::fields::fields;
pub use self::query::{Query, UnknownParameter};
pub use self::ring::{AT_ONCE, Ring};
use crate::config::spec::AuditSpec;

/// What stands in the place of the stage in examples of records that were rejected before the first one.
pub const REJECTING: &str = "receiver";
/// Examples in one answer; a filter narrows what there is to them.
const ANSWER_MAX: usize = 1_000;

/// The rings of a process. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    spec: AuditSpec,
    /// By pipeline and stage.
    rings: Mutex<BTreeMap<(String, String), Arc<Ring>>>,
}

/// What `/audit` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Examples that a stage keeps.
    pub examples_per_stage: usize,
    /// Whether values of fields are shown.
    pub values: bool,
    /// The newest first.
    pub examples: Vec<Example>,
}

impl Audit {
    /// Rings as configured.
    pub fn new(spec: AuditSpec) -> Audit {
        Audit { inner: Arc::new(Inner { spec, rings: Mutex::default() }) }
    }

    /// The ring of a stage, which outlives generations; none if nothing is to be kept.
    pub fn ring(&self, pipeline: &str, stage: &str) -> Option<Arc<Ring>> {
        if self.inner.spec.examples == 0 {
            return None;
        }
        let key = (pipeline.to_owned(), stage.to_owned());
        let mut rings = self.inner.rings.lock();
        Some(Arc::clone(rings.entry(key).or_insert_with(|| Arc::new(Ring::new(self.inner.spec.clone())))))
    }

    /// Forgets the rings of stages that are no more.
    pub fn retain(&self, is_there: impl Fn(&str, &str) -> bool) {
        self.inner.rings.lock().retain(|(pipeline, stage), _| is_there(pipeline, stage));
    }

    /// What the rings hold of what is asked for.
    pub fn report(&self, query: &Query) -> Report {
        let rings: Vec<Arc<Ring>> = {
            let rings = self.inner.rings.lock();
            let asked = rings.iter().filter(|((pipeline, stage), _)| query.takes_stage(pipeline, stage));
            asked.map(|(_, ring)| Arc::clone(ring)).collect()
        };
        let mut examples: Vec<_> = rings.iter().flat_map(|ring| ring.examples()).collect();
        examples.retain(|example| query.takes(example));
        examples.sort_by(|left, right| right.at.cmp(&left.at));
        let examples = examples.iter().take(ANSWER_MAX).map(|example| Example::clone(example)).collect();
        Report { examples_per_stage: self.inner.spec.examples, values: self.inner.spec.values, examples }
    }
}
