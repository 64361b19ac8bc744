//! What a step tells the drop audit.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::drops::DropReason;
use crate::audit::{AT_ONCE, Example, REJECTING, Record, Ring, fields};
use crate::data::batch::Batch;
use crate::data::bitmap::Bitmap;
use crate::data::column::Decisions;
use crate::exporter::calendar::{Separator, stamp};
use crate::plugin::Plan;
use crate::telemetry::metrics::StageLabels;

/// Offers the ring of a stage examples of what the stage drops.
pub(super) struct Auditor {
    ring: Arc<Ring>,
    labels: StageLabels,
    plan: Arc<Plan>,
    /// Positions in the projection of the fields that the plan reads.
    reads: Vec<usize>,
}

/// Which rows were alive before a plugin had its say.
pub(super) struct Before {
    /// None: all of them.
    live: Option<Bitmap>,
    millis: u64,
}

impl Auditor {
    pub fn new(ring: Arc<Ring>, labels: StageLabels, plan: Arc<Plan>, reads: Vec<usize>) -> Auditor {
        Auditor { ring, labels, plan, reads }
    }

    /// One that tells of what the walk rejects, before any stage.
    pub fn of_rejections(ring: Arc<Ring>, pipeline: &str) -> Auditor {
        let labels = StageLabels {
            pipeline: pipeline.to_owned(),
            processor: REJECTING.to_owned(),
            plugin: String::new(),
            plugin_version: String::new(),
        };
        Auditor { ring, labels, plan: Arc::default(), reads: Vec::new() }
    }

    /// Offers records that break a rule of OTLP's, or a limit.
    pub fn rejected(&self, batch: &Batch) {
        let rejection = |row: usize| {
            let found = batch.rejected.binary_search_by_key(&row, |(rejected, _)| *rejected as usize).ok()?;
            batch.rejected.get(found).map(|(_, rejection)| rejection.to_string())
        };
        if self.ring.is_hungry() {
            self.offer(millis(), batch, "rejected", |row| rejection(*row).is_some(), rejection);
        }
    }

    /// Notes what is alive; none if no examples are wanted now, which is what nearly every batch hears.
    pub fn before(&self, batch: &Batch) -> Option<Before> {
        let live = || batch.selected.then(|| batch.live.clone());
        self.ring.is_hungry().then(|| Before { live: live(), millis: millis() })
    }

    /// Offers rows that were alive and are no more, by the plugin's own choice.
    pub fn chosen(&self, before: &Before, batch: &Batch, reason: DropReason, decisions: Option<&Decisions>) {
        let was_live = |row: usize| before.live.as_ref().is_none_or(|live| live.contains(row));
        let dropped = |row: &usize| was_live(*row) && !batch.is_live(*row);
        let detail = |row| decisions.and_then(|decisions| self.decision(decisions, row));
        self.offer(before.millis, batch, reason.name(), dropped, detail);
    }

    /// Offers rows that are alive and will not go on, because the plugin faulted.
    pub fn lost(&self, batch: &Batch, reason: DropReason, fault: &str) {
        if self.ring.is_hungry() {
            self.offer(millis(), batch, reason.name(), |row| batch.is_live(*row), |_| Some(fault.to_owned()));
        }
    }

    fn offer(
        &self,
        millis: u64,
        batch: &Batch,
        reason: &'static str,
        is_meant: impl Fn(&usize) -> bool,
        detail: impl Fn(usize) -> Option<String>,
    ) {
        let rows = batch.rows();
        // Not always the first ones: the clock says where to begin.
        let begin = usize::try_from(millis).unwrap_or_default().checked_rem(rows).unwrap_or_default();
        let meant = (begin..rows).chain(0..begin).filter(is_meant).take(AT_ONCE);
        let examples: Vec<Example> = meant.map(|row| self.example(millis, batch, row, reason, detail(row))).collect();
        if !examples.is_empty() {
            self.ring.feed(examples);
        }
    }

    fn example(&self, millis: u64, batch: &Batch, row: usize, reason: &'static str, detail: Option<String>) -> Example {
        let StageLabels { pipeline, processor, plugin, plugin_version } = self.labels.clone();
        Example {
            at: format!("{}Z", stamp(millis, Separator::Colon)),
            pipeline,
            stage: processor,
            plugin,
            version: plugin_version,
            reason,
            detail,
            record: Record::of(batch, row),
            fields: fields(batch, row, self.plan.reads.iter().zip(&self.reads), self.ring.spec()),
        }
    }

    /// A sampler's reason and probability.
    fn decision(&self, decisions: &Decisions, row: usize) -> Option<String> {
        let reason = self.plan.reasons.get(usize::from(*decisions.reasons.get(row)?))?;
        Some(format!("{reason}, probability {}", decisions.probabilities.get(row)?))
    }
}

fn millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
