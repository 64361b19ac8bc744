//! From stages to a chain: plans are asked for, fields resolved, the projection made, instances started and probed.

use std::sync::Arc;

use super::auditor::Auditor;
use super::policy::Policy;
use super::probe::probe;
use super::sampling::Sampling;
use super::stage::{Step, StepMeter};
use super::{Chain, DropReason, stage};
use crate::audit::Ring;
use crate::config::spec::OnError;
use crate::data::Signal;
use crate::data::field::{Field, PathProblem};
use crate::data::projection::{Projection, TooManyFields};
use crate::dead_letter::DeadLetter;
use crate::plugin::{Kind, Plan, Slot, Stage, StartFault};
use crate::telemetry::metrics::{LossLabels, Metrics, StageLabels};

/// A stage that is to become a step.
pub struct StepSpec {
    /// The stage's id.
    pub id: String,
    /// The plugin in its place.
    pub stage: Stage,
    /// What becomes of a batch when the plugin faults on it.
    pub on_error: OnError,
    /// Where records go that alone make it fault.
    pub quarantine: Option<DeadLetter>,
    /// Where examples of what it drops go.
    pub audit: Option<Arc<Ring>>,
}

/// A chain that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    /// A plugin does not start.
    #[error(transparent)]
    Start(#[from] StartFault),
    /// A plugin asks for a field that there is not.
    #[error("plugin `{plugin}` asks for a field that it cannot have: {problem}")]
    Field {
        /// The plugin's name.
        plugin: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// The plugins ask for too many fields together.
    #[error(transparent)]
    TooManyFields(#[from] TooManyFields),
    /// Metrics are aggregates: dropping some of their points at random makes the rest wrong.
    #[error("plugin `{plugin}` is a sampler, and metrics cannot be sampled: use a filter plugin")]
    SampledMetrics {
        /// The plugin's name.
        plugin: String,
    },
    /// A plugin faulted on the sample batch.
    #[error("plugin `{plugin}` failed on a sample batch")]
    Probe {
        /// The plugin's name.
        plugin: String,
        /// How.
        #[source]
        fault: stage::StepFault,
    },
}

/// Builds the chain of a pipeline; the error comes with the position of the stage that it concerns. Every stage has
/// answered a sample batch when this returns.
pub async fn build(
    pipeline: &str,
    signal: Signal,
    stages: Vec<StepSpec>,
    shards: usize,
    metrics: &Metrics,
) -> Result<Chain, (usize, BuildFault)> {
    let mut projection = Projection::empty(signal);
    let mut parts = Vec::with_capacity(stages.len());
    for (index, spec) in stages.into_iter().enumerate() {
        parts.push(part(pipeline, spec, &mut projection, metrics).await.map_err(|fault| (index, fault))?);
    }
    let projection = Arc::new(projection);
    let mut steps = Vec::with_capacity(parts.len());
    let mut dropped = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let id = part.id.clone();
        dropped.push(DropReason::ALL.map(|reason| {
            let labels = LossLabels { signal, component: id.clone(), reason: reason.name() };
            metrics.dropped.get_or_create_owned(&labels)
        }));
        let step = part.into_step(&projection, shards).await.map_err(|fault| (index, fault))?;
        steps.push(step);
    }
    Ok(Chain { projection, steps, dropped, rejections: None })
}

/// A step whose instances are not started yet, because the projection is not complete.
struct Part {
    id: String,
    stage: Stage,
    policy: Policy,
    reads: Vec<usize>,
    writes: Vec<usize>,
    sampling: Option<Sampling>,
    meter: StepMeter,
    /// Started to learn the plan; it answers the sample batch, and is then thrown away with what it learnt.
    scout: Slot,
}

async fn part(
    pipeline: &str,
    spec: StepSpec,
    projection: &mut Projection,
    metrics: &Metrics,
) -> Result<Part, BuildFault> {
    let description = spec.stage.plugin().describe().clone();
    let kind = spec.stage.plugin().kind();
    let signal = projection.signal();
    if kind == Kind::Sampler && signal == Signal::Metrics {
        return Err(BuildFault::SampledMetrics { plugin: description.name });
    }
    let scout = Slot::start(&spec.stage).await?;
    let plan = Arc::clone(scout.plan());
    let plugin = &description.name;
    let reads = positions(&plan.reads, false, projection, plugin)?;
    let writes = positions(&plan.writes, true, projection, plugin)?;
    let labels = StageLabels {
        pipeline: pipeline.to_owned(),
        processor: spec.id.clone(),
        plugin: description.name.clone(),
        plugin_version: description.version.clone(),
    };
    let sampling = match kind {
        Kind::Sampler => Some(sampling(&plan, projection, metrics, &labels, plugin)?),
        _ => None,
    };
    let auditor = spec.audit.map(|ring| Auditor::new(ring, labels.clone(), Arc::clone(&plan), reads.clone()));
    let policy = Policy::new(spec.on_error, spec.quarantine, auditor, labels.clone());
    let meter = StepMeter::new(metrics, labels);
    Ok(Part { id: spec.id, stage: spec.stage, policy, reads, writes, sampling, meter, scout })
}

impl Part {
    async fn into_step(self, projection: &Arc<Projection>, shards: usize) -> Result<Step, BuildFault> {
        let Part { id, stage, policy, reads, writes, sampling, meter, scout } = self;
        let plugin = stage.plugin().describe().name.clone();
        probe(projection, &reads, &writes, scout)
            .await
            .map_err(|fault| BuildFault::Probe { plugin: plugin.clone(), fault })?;
        let mut slots = Vec::with_capacity(shards);
        for _ in 0..shards.max(1) {
            slots.push(Slot::start(&stage).await?);
        }
        let gone = BuildFault::Probe { plugin, fault: crate::plugin::Fault::Gone.into() };
        Step::new(id, policy, reads, writes, sampling, slots, meter).ok_or(gone)
    }
}

/// Positions in the projection of the fields that a plan names.
fn positions(
    paths: &[String],
    write: bool,
    projection: &mut Projection,
    plugin: &str,
) -> Result<Vec<usize>, BuildFault> {
    let signal = projection.signal();
    let mut positions = Vec::with_capacity(paths.len());
    for path in paths {
        let field = if write { Field::resolve_writable(path, signal) } else { Field::resolve(path, signal) };
        let field = field.map_err(|problem| BuildFault::Field { plugin: plugin.to_owned(), problem })?;
        positions.push(projection.add(&field, write)?);
    }
    Ok(positions)
}

/// The columns that the host needs to draw: fields of its own, beside those of the plan.
fn sampling(
    plan: &Plan,
    projection: &mut Projection,
    metrics: &Metrics,
    labels: &StageLabels,
    plugin: &str,
) -> Result<Sampling, BuildFault> {
    let own = |path: &str, write, projection: &mut Projection| {
        positions(&[path.to_owned()], write, projection, plugin).map(|positions| positions.first().copied())
    };
    let (trace_id, trace_state) = match projection.signal() {
        Signal::Traces => (own("span.trace_id", false, projection)?, own("span.trace_state", true, projection)?),
        _ => (own("log.trace_id", false, projection)?, None),
    };
    Ok(Sampling::new(trace_id.unwrap_or_default(), trace_state, &plan.reasons, metrics, labels))
}
