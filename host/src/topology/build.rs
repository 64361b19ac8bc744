//! From a spec to a generation: plugins loaded, chains built and probed. Spawns nothing that outlives it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::generation::{Generation, Pipeline};
use super::plugins::{Plugins, SourceFault};
use crate::admin::status::StageStatus;
use crate::audit::{Audit, REJECTING};
use crate::chain::{self, BuildFault, StepSpec};
use crate::config::spec::{Grant, PipelineSpec, PluginSource, Spec, StageSpec};
use crate::config::{Problem, Problems};
use crate::dead_letter::{self, DeadLetter, DeadLetters};
use crate::exporter::BuildError;
use crate::plugin::{
    CodeCache, Compiler, Engine, Import, Plugin, PluginMetrics, SharedState, Stage, StageContext, StartFault,
};
use crate::report;
use crate::telemetry::metrics::Metrics;

/// What generations are built with; outlives them all.
pub(super) struct Workshop {
    plugins: Arc<Plugins>,
    pub(super) metrics: Metrics,
    own_metrics: PluginMetrics,
    /// Host-kept state by pipeline, stage and quota: a reload does not lose it.
    states: Mutex<BTreeMap<(String, String, usize), Arc<SharedState>>>,
    /// Dead-letter files that are open; none while pipeline files are only checked, which makes no files.
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
    audit: Audit,
}

type Loaded = BTreeMap<PluginSource, Plugin>;

impl Workshop {
    pub(super) fn new(
        metrics: Metrics,
        own_metrics: PluginMetrics,
        audit: Audit,
        compiler: Compiler,
    ) -> anyhow::Result<Workshop> {
        let cache = CodeCache::of_environment(|name| std::env::var(name).ok());
        let plugins = Arc::new(Plugins::new(Engine::with(cache, compiler)?));
        let dead_letters = Some(Arc::default());
        Ok(Workshop { plugins, metrics, own_metrics, states: Mutex::default(), dead_letters, audit })
    }

    /// One that builds generations which will not serve.
    pub(super) fn only_checking(self) -> Workshop {
        Workshop { dead_letters: None, ..self }
    }

    /// Builds a generation for so many shards.
    ///
    /// # Errors
    /// Every problem of every stage.
    pub(super) async fn generation(&self, spec: &Spec, shards: usize, number: u64) -> Result<Generation, Problems> {
        let mut problems = Vec::new();
        let plugins = self.load(spec, &mut problems).await;
        let mut pipelines = BTreeMap::new();
        for (id, pipeline) in &spec.pipelines {
            match self.pipeline(id, pipeline, spec, &plugins, shards).await {
                Ok(Some(pipeline)) => drop(pipelines.insert(id.clone(), Arc::new(pipeline))),
                // One of its plugins is a problem that was told already.
                Ok(None) => {}
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            problems.sort_by(|left, right| position(left).cmp(&position(right)));
            return Err(Problems(problems));
        }
        let digests = plugins.iter().map(|(source, plugin)| (source.clone(), plugin.digest())).collect();
        Ok(Generation { number, spec: spec.clone(), pipelines, digests })
    }

    /// Loads every plugin that some pipeline uses, side by side.
    async fn load(&self, spec: &Spec, problems: &mut Vec<Problem>) -> Loaded {
        let mut stages: Vec<&StageSpec> = spec.processors.values().collect();
        stages.sort_by(|left, right| left.plugin.cmp(&right.plugin));
        stages.dedup_by(|left, right| left.plugin == right.plugin);
        let loads = stages.iter().map(|stage| {
            let (plugins, source) = (Arc::clone(&self.plugins), stage.plugin.clone());
            tokio::task::spawn_blocking(move || plugins.load(&source))
        });
        let mut loaded = Loaded::new();
        let results = futures_util::future::join_all(loads).await;
        for (stage, plugin) in stages.into_iter().zip(results) {
            match plugin.unwrap_or(Err(SourceFault::Interrupted)) {
                Ok(plugin) => drop(loaded.insert(stage.plugin.clone(), plugin)),
                Err(fault) => problems.push(Problem::at(&stage.place, report::chain(&fault), None)),
            }
        }
        loaded
    }

    async fn pipeline(
        &self,
        id: &str,
        pipeline: &PipelineSpec,
        spec: &Spec,
        plugins: &Loaded,
        shards: usize,
    ) -> Result<Option<Pipeline>, Problem> {
        let mut stages = Vec::with_capacity(pipeline.processors.len());
        let mut places = Vec::with_capacity(pipeline.processors.len());
        for processor in &pipeline.processors {
            let Some(stage_spec) = spec.processors.get(processor) else { return Ok(None) };
            let Some(plugin) = plugins.get(&stage_spec.plugin) else { return Ok(None) };
            let context = self.context(id, processor, pipeline, stage_spec, plugin);
            let stage = Stage::new(plugin, context).map_err(|fault| problem(stage_spec, &fault.into()))?;
            let quarantine = self.quarantine(stage_spec);
            let quarantine = quarantine.map_err(|error| Problem::at(&stage_spec.place, report::chain(&error), None))?;
            let audit = self.audit.ring(id, processor);
            stages.push(StepSpec { id: processor.clone(), stage, on_error: stage_spec.on_error, quarantine, audit });
            places.push(stage_spec);
        }
        let built = chain::build(id, pipeline.signal, stages, shards, &self.metrics).await;
        let chain = match built {
            Ok(chain) => chain.audit_rejections(id, self.audit.ring(id, REJECTING)),
            Err((index, fault)) => match places.get(index) {
                Some(stage) => return Err(problem(stage, &fault)),
                None => return Ok(None),
            },
        };
        let stages = chain.steps().zip(places).map(|(step, spec)| stage_status(step, spec)).collect();
        Ok(Some(Pipeline { id: id.to_owned(), chain, exporters: pipeline.exporters.clone(), stages }))
    }

    fn context(
        &self,
        pipeline: &str,
        processor: &str,
        spec: &PipelineSpec,
        stage: &StageSpec,
        plugin: &Plugin,
    ) -> StageContext {
        StageContext {
            pipeline: pipeline.to_owned(),
            processor: processor.to_owned(),
            signal: spec.signal,
            config: stage.config.clone(),
            limits: stage.limits.clone(),
            grants: grants(stage, plugin),
            empty_wasi: stage.empty_wasi,
            state: self.state(pipeline, processor, stage.limits.state),
            own_metrics: self.own_metrics.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn quarantine(&self, stage: &StageSpec) -> Result<Option<DeadLetter>, BuildError> {
        let (Some(files), Some(spec)) = (&self.dead_letters, &stage.quarantine) else { return Ok(None) };
        let limits = dead_letter::Limits { max_bytes: spec.max_bytes, max_backups: spec.max_backups };
        files.open(&spec.path, limits, &self.metrics).map(Some)
    }

    fn state(&self, pipeline: &str, processor: &str, quota: usize) -> Arc<SharedState> {
        let mut states = self.states.lock();
        let key = (pipeline.to_owned(), processor.to_owned(), quota);
        Arc::clone(states.entry(key).or_insert_with(|| Arc::new(SharedState::new(quota))))
    }

    /// Forgets what only earlier generations used.
    pub(super) fn forget_all_but(&self, generation: &Generation) {
        self.plugins.retain(generation.digests.values());
        self.audit.retain(|pipeline, stage| {
            let pipeline = generation.spec.pipelines.get(pipeline);
            pipeline.is_some_and(|pipeline| {
                stage == REJECTING || pipeline.processors.iter().any(|processor| processor == stage)
            })
        });
        self.states.lock().retain(|(pipeline, processor, quota), _| {
            let spec = &generation.spec;
            let uses = spec.pipelines.get(pipeline).is_some_and(|pipeline| pipeline.processors.contains(processor));
            uses && spec.processors.get(processor).is_some_and(|stage| stage.limits.state == *quota)
        });
    }
}

/// Grants of the pipeline file; a standard plugin has what it asks for, as it is part of the host.
fn grants(stage: &StageSpec, plugin: &Plugin) -> Vec<Grant> {
    match stage.plugin {
        PluginSource::Standard(_) => {
            let needed = plugin.imports().iter().filter_map(|import| match import {
                Import::Granted(grant) => Some(*grant),
                _ => None,
            });
            stage.grants.iter().copied().chain(needed).collect()
        }
        _ => stage.grants.clone(),
    }
}

/// Problems are told in the order of the lines that they are in.
fn position(problem: &Problem) -> (&Path, u32, u32) {
    (&problem.place.file, problem.place.line, problem.place.column)
}

/// What a stage's fault means to the one who wrote the pipeline file.
fn problem(stage: &StageSpec, fault: &BuildFault) -> Problem {
    let mend = match fault {
        BuildFault::Start(StartFault::Refused { .. }) => {
            Some("`sluicebox plugin inspect` shows the config that the plugin takes".to_owned())
        }
        _ => None,
    };
    Problem::at(&stage.place, report::chain(fault), mend)
}

fn stage_status(step: &chain::Step, spec: &StageSpec) -> StageStatus {
    let plugin = step.plugin();
    let description = plugin.describe();
    let plan = step.plan();
    StageStatus {
        id: step.id().to_owned(),
        plugin: description.name.clone(),
        version: description.version.clone(),
        digest: plugin.digest().to_string(),
        kind: plugin.kind().name().to_owned(),
        reads: plan.reads.clone(),
        writes: plan.writes.clone(),
        source: match &spec.plugin {
            PluginSource::Standard(name) => format!("standard plugin {name}"),
            PluginSource::File(path) | PluginSource::Crate(path) => path.display().to_string(),
        },
    }
}
