//! A configured step of a chain: one plugin, one instance a shard, and what its answers and faults do to a batch.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::{Answer, ask, check_bitmap, check_decisions};
use super::drops::DropReason;
use super::policy::Policy;
use super::sampling::Sampling;
use super::search::{Findings, search};
use crate::config::spec::StageLimits;
use crate::data::batch::Batch;
use crate::data::intake::Refusal;
use crate::data::overlay::AnswerProblem;
use crate::plugin::{Fault, Kind, Plan, Plugin, Slot, Stage};
use crate::telemetry::metrics::{FaultLabels, Metrics, SearchLabels, StageLabels};

/// A step of a chain.
pub struct Step {
    /// The stage's id.
    pub(super) id: String,
    /// What its plugin is for.
    pub(super) kind: Kind,
    stage: Stage,
    plan: Arc<Plan>,
    policy: Policy,
    /// Positions in the projection of the fields that it reads, in its plan's order.
    reads: Vec<usize>,
    /// Positions of the fields that it writes.
    writes: Vec<usize>,
    /// What a sampler needs beside its plan.
    sampling: Option<Sampling>,
    /// One instance a shard. The lock is contended only while a call of the same shard yields.
    slots: Vec<Mutex<Slot>>,
    meter: StepMeter,
}

/// Records that a step dropped, by what dropped them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The plugin itself, by its answer.
    pub chosen: u64,
    /// `on_error: drop`.
    pub faulted: u64,
    /// The quarantine.
    pub quarantined: u64,
}

/// Why a call gave nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub enum StepFault {
    /// The plugin gave no answer.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The plugin's answer does not fit.
    #[error("the plugin's answer is not usable: {0}")]
    Answer(#[from] AnswerProblem),
}

impl StepFault {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            StepFault::Fault(fault) => fault.kind(),
            StepFault::Answer(_) => "answer",
        }
    }

    /// Whether one record of the batch may be what the plugin faulted on.
    fn may_be_a_record(&self) -> bool {
        !matches!(self, StepFault::Fault(Fault::Start(_) | Fault::Open(_) | Fault::Gone))
    }
}

impl Step {
    pub(super) fn new(
        id: String,
        policy: Policy,
        reads: Vec<usize>,
        writes: Vec<usize>,
        sampling: Option<Sampling>,
        slots: Vec<Slot>,
        meter: StepMeter,
    ) -> Option<Step> {
        let first = slots.first()?;
        let (stage, plan) = (first.stage().clone(), Arc::clone(first.plan()));
        let kind = stage.plugin().kind();
        let slots = slots.into_iter().map(Mutex::new).collect();
        Some(Step { id, kind, stage, plan, policy, reads, writes, sampling, slots, meter })
    }

    /// The stage's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its plugin.
    pub fn plugin(&self) -> &Plugin {
        self.stage.plugin()
    }

    /// What the plugin reads and writes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its limits.
    pub(super) fn limits(&self) -> &StageLimits {
        self.stage.limits()
    }

    /// What it does about faults.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Runs the plugin over what is left of the batch. The answer is what it dropped.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if the plugin faulted and its stage says `on_error: reject`, or if a record that was to be
    /// quarantined could not be written down.
    pub(super) async fn run(&self, shard: usize, batch: &mut Batch) -> Result<Tally, Refusal> {
        let before = batch.live_rows() as u64;
        if before == 0 {
            return Ok(Tally::default());
        }
        self.meter.incoming.inc_by(before);
        let lost = self.process(shard, batch).await?;
        let after = batch.live_rows() as u64;
        self.meter.outgoing.inc_by(after);
        Ok(Tally { chosen: before.saturating_sub(after + lost.faulted + lost.quarantined), ..lost })
    }

    /// The reason of what the plugin itself drops.
    pub(super) fn choice(&self) -> DropReason {
        if self.kind == Kind::Sampler { DropReason::Sampled } else { DropReason::Filtered }
    }

    async fn process(&self, shard: usize, batch: &mut Batch) -> Result<Tally, Refusal> {
        let slot = self.slots.get(shard).ok_or(StepFault::from(Fault::Gone));
        let mut slot = match slot {
            Ok(slot) => slot.lock().await,
            Err(fault) => return self.policy.all(&fault, batch),
        };
        // Left over by a request whose client has gone.
        slot.end_search();
        let Err(fault) = self.call(&mut slot, batch).await else { return Ok(Tally::default()) };
        self.count(&fault);
        let findings = self.search(&mut slot, batch, &fault).await;
        drop(slot);
        match findings {
            Some(findings) => self.policy.each(&fault, findings, batch).await,
            None => self.policy.all(&fault, batch),
        }
    }

    /// Searches for the records that make the plugin fault, if that promises anything.
    async fn search(&self, slot: &mut Slot, batch: &mut Batch, fault: &StepFault) -> Option<Findings> {
        if !fault.may_be_a_record() || !self.policy.wants_search(batch.live_rows()) {
            return None;
        }
        let time = slot.begin_search()?;
        let findings = search(self, slot, batch, fault, time).await;
        slot.end_search();
        let findings = findings.inspect_err(|error| tracing::error!("a piece of a batch cannot be read: {error}")).ok();
        self.meter.searched(findings.as_ref());
        findings.filter(|findings| findings.means_something)
    }

    /// Calls the plugin once, and has its answer done.
    pub(super) async fn call(&self, slot: &mut Slot, batch: &mut Batch) -> Result<(), StepFault> {
        let started = Instant::now();
        let result = self.call_instance(slot, batch).await;
        if !matches!(result, Err(StepFault::Fault(Fault::Open(_)))) {
            self.meter.calls.inc();
            self.meter.seconds.observe(started.elapsed().as_secs_f64());
        }
        if let Err(StepFault::Answer(_)) = result {
            slot.condemn();
        }
        result
    }

    /// Counts a fault.
    pub(super) fn count(&self, fault: &StepFault) {
        self.meter.fault(fault.kind());
    }

    async fn call_instance(&self, slot: &mut Slot, batch: &mut Batch) -> Result<(), StepFault> {
        let answer = ask(slot, &batch.view(&self.reads)).await?;
        match answer {
            Answer::Keep(keep) => {
                check_bitmap(&keep, batch.rows())?;
                let auditing = self.policy.auditing(batch);
                batch.retain(&keep);
                if let Some((auditor, before)) = auditing {
                    auditor.chosen(&before, batch, DropReason::Filtered, None);
                }
            }
            Answer::Decisions(decisions) => {
                check_decisions(&decisions, self.sampling.as_ref().map_or(0, Sampling::reasons), batch)?;
                let auditing = self.policy.auditing(batch);
                if let Some(sampling) = &self.sampling {
                    sampling.decide(batch, &decisions);
                }
                if let Some((auditor, before)) = auditing {
                    auditor.chosen(&before, batch, DropReason::Sampled, Some(&decisions));
                }
            }
            Answer::Edits(edits) => {
                self.meter.edits.inc_by(batch.apply(&self.writes, &edits)?);
            }
        }
        Ok(())
    }
}

/// What a step counts.
pub struct StepMeter {
    labels: StageLabels,
    metrics: Metrics,
    incoming: Counter,
    outgoing: Counter,
    edits: Counter,
    calls: Counter,
    seconds: Histogram,
}

impl StepMeter {
    pub(super) fn new(metrics: &Metrics, labels: StageLabels) -> StepMeter {
        StepMeter {
            incoming: metrics.stage_incoming.get_or_create_owned(&labels),
            outgoing: metrics.stage_outgoing.get_or_create_owned(&labels),
            edits: metrics.stage_edits.get_or_create_owned(&labels),
            calls: metrics.plugin_calls.get_or_create_owned(&labels),
            seconds: metrics.plugin_call_seconds.get_or_create_owned(&labels),
            metrics: metrics.clone(),
            labels,
        }
    }

    /// Counts a search by how it ended.
    fn searched(&self, findings: Option<&Findings>) {
        let outcome = match findings {
            Some(findings) if findings.is_complete() => "found",
            Some(findings) if findings.means_something => "part",
            _ => "nothing",
        };
        let StageLabels { pipeline, processor, plugin, plugin_version } = self.labels.clone();
        let labels = SearchLabels { pipeline, processor, plugin, plugin_version, outcome };
        self.metrics.plugin_searches.get_or_create_owned(&labels).inc();
    }

    fn fault(&self, fault: &'static str) {
        let StageLabels { pipeline, processor, plugin, plugin_version } = self.labels.clone();
        let labels = FaultLabels { pipeline, processor, plugin, plugin_version, fault };
        self.metrics.plugin_faults.get_or_create(&labels).inc();
    }
}
