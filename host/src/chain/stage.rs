//! A configured step of a chain: one plugin, one instance a shard, and what its answers and faults do to a batch.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::{Answer, ask, check_bitmap, check_decisions};
use super::sampling::Sampling;
use crate::config::spec::OnError;
use crate::data::batch::Batch;
use crate::data::intake::Refusal;
use crate::data::overlay::AnswerProblem;
use crate::plugin::{Fault, Kind, Plan, Plugin, Slot, Stage};
use crate::telemetry::metrics::{FaultLabels, Metrics, StageLabels};

/// When a client may send a request again that a faulting plugin kept from being taken.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A step of a chain.
pub struct Step {
    /// The stage's id.
    pub(super) id: String,
    /// What its plugin is for.
    pub(super) kind: Kind,
    stage: Stage,
    plan: Arc<Plan>,
    on_error: OnError,
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

/// Records that a step dropped, and why; counted when the request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    /// Position of the step in its chain.
    pub step: usize,
    /// `filtered`, `sampled` or `plugin_fault`.
    pub reason: &'static str,
    /// How many.
    pub records: u64,
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
    fn kind(&self) -> &'static str {
        match self {
            StepFault::Fault(fault) => fault.kind(),
            StepFault::Answer(_) => "answer",
        }
    }
}

impl Step {
    pub(super) fn new(
        id: String,
        on_error: OnError,
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
        Some(Step { id, kind, stage, plan, on_error, reads, writes, sampling, slots, meter })
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

    /// Runs the plugin over what is left of the batch. The answer is what it dropped.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if the plugin faulted and its stage says `on_error: reject`.
    pub(super) async fn run(&self, shard: usize, batch: &mut Batch) -> Result<Option<(&'static str, u64)>, Refusal> {
        let before = batch.live_rows() as u64;
        if before == 0 {
            return Ok(None);
        }
        self.meter.incoming.inc_by(before);
        let result = self.call(shard, batch).await;
        let reason = match result {
            Ok(()) if self.kind == Kind::Sampler => "sampled",
            Ok(()) => "filtered",
            Err(fault) => self.handle(&fault, batch)?,
        };
        let after = batch.live_rows() as u64;
        self.meter.outgoing.inc_by(after);
        Ok((after < before).then_some((reason, before - after)))
    }

    async fn call(&self, shard: usize, batch: &mut Batch) -> Result<(), StepFault> {
        let Some(slot) = self.slots.get(shard) else { return Err(Fault::Gone.into()) };
        let mut slot = slot.lock().await;
        let started = Instant::now();
        let result = self.call_instance(&mut slot, batch).await;
        if !matches!(result, Err(StepFault::Fault(Fault::Open(_)))) {
            self.meter.calls.inc();
            self.meter.seconds.observe(started.elapsed().as_secs_f64());
        }
        if let Err(StepFault::Answer(_)) = result {
            slot.condemn();
        }
        result
    }

    async fn call_instance(&self, slot: &mut Slot, batch: &mut Batch) -> Result<(), StepFault> {
        match ask(slot, &batch.view(&self.reads)).await? {
            Answer::Keep(keep) => {
                check_bitmap(&keep, batch.rows())?;
                batch.retain(&keep);
            }
            Answer::Decisions(decisions) => {
                check_decisions(&decisions, self.sampling.as_ref().map_or(0, Sampling::reasons), batch)?;
                if let Some(sampling) = &self.sampling {
                    sampling.decide(batch, &decisions);
                }
            }
            Answer::Edits(edits) => {
                self.meter.edits.inc_by(batch.apply(&self.writes, &edits)?);
            }
        }
        Ok(())
    }

    /// Does what the stage says about faults; the answer is the reason for what is dropped.
    fn handle(&self, fault: &StepFault, batch: &mut Batch) -> Result<&'static str, Refusal> {
        self.meter.fault(fault.kind());
        let action = match self.on_error {
            OnError::Pass => "the batch goes on as if the stage were not there",
            OnError::Drop => "the batch is dropped",
            OnError::Reject => "the client is told to try again",
        };
        // While the plugin is not called, its breaker has said so once; a line a batch would say nothing new.
        if !matches!(fault, StepFault::Fault(Fault::Open(_))) {
            let StepMeter { labels, .. } = &self.meter;
            tracing::warn!(
                pipeline = labels.pipeline,
                processor = labels.processor,
                plugin = labels.plugin,
                version = labels.plugin_version,
                fault = fault.kind(),
                "{}; {action}",
                crate::report::chain(fault)
            );
        }
        match self.on_error {
            OnError::Pass => {}
            OnError::Drop => batch.retain(&[]),
            OnError::Reject => {
                let reason = format!("plugin of `{}` failed: {fault}", self.id);
                return Err(Refusal::Busy { reason, retry_after: RETRY_AFTER });
            }
        }
        Ok("plugin_fault")
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

    fn fault(&self, fault: &'static str) {
        let StageLabels { pipeline, processor, plugin, plugin_version } = self.labels.clone();
        let labels = FaultLabels { pipeline, processor, plugin, plugin_version, fault };
        self.metrics.plugin_faults.get_or_create(&labels).inc();
    }
}
