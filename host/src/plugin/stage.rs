//! A configured step of a pipeline: a plugin with its grants, limits and config, from which instances are started.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Store, UpdateDeadline};

use super::api::v0_1::{self, Prepared};
use super::engine::Engine;
use super::imports::Host;
use super::imports::log::Logbook;
use super::imports::metrics::{OwnLabels, PluginMetrics, StageMetrics};
use super::imports::state::SharedState;
use super::instance::Instance;
use super::interface::Import;
use super::limits::Limiter;
use super::{Fault, Plan, Plugin, Renewal, empty_wasi};
use crate::config::spec::{Grant, StageLimits};
use crate::data::Signal;
use crate::telemetry::metrics::{Metrics, RenewalLabels, StageLabels};

/// Wall time of an instance's making: `configure` may compile regexes and fill tables.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// Fields that a plan may read or write, and reasons that it may name.
const PLAN_ENTRIES_MAX: usize = 256;
/// Bytes of one field path or reason.
const PLAN_ENTRY_BYTES_MAX: usize = 1 << 10;

/// Everything that a stage gives its plugin.
#[derive(Clone, Debug)]
pub struct StageContext {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// What the pipeline carries.
    pub signal: Signal,
    /// The plugin's config.
    pub config: serde_json::Value,
    /// Limits of each call and instance.
    pub limits: StageLimits,
    /// Host imports that the plugin may use.
    pub grants: Vec<Grant>,
    /// Whether WASI imports get an empty world.
    pub empty_wasi: bool,
    /// State of the stage; outlives generations if the topology passes the old one on.
    pub state: Arc<SharedState>,
    /// Where the plugin's own metrics go.
    pub own_metrics: PluginMetrics,
    /// Where the host's metrics about the plugin go.
    pub metrics: Metrics,
}

/// A stage that instances can be started of, on any shard. Cheap to clone.
#[derive(Clone)]
pub struct Stage {
    inner: Arc<Inner>,
}

struct Inner {
    plugin: Plugin,
    prepared: Prepared,
    config: String,
    signal: Signal,
    limits: StageLimits,
    state: Arc<SharedState>,
    log: Arc<Logbook>,
    own_metrics: Arc<StageMetrics>,
    plan: OnceLock<Arc<Plan>>,
    labels: StageLabels,
    metrics: Metrics,
}

/// A plugin that could not be started in its stage.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// It imports what the stage does not give it.
    #[error("plugin `{plugin}` imports {}, which the stage does not grant; add {mend} to the stage", .imports.join(", "))]
    NotGranted {
        /// The plugin's name.
        plugin: String,
        /// The imports.
        imports: Vec<String>,
        /// What to write into the pipeline file.
        mend: String,
    },
    /// Its imports have other types than the host's.
    #[error("plugin `{plugin}` does not fit this host: {reason}")]
    Link {
        /// The plugin's name.
        plugin: String,
        /// What does not fit.
        reason: String,
    },
    /// It does not like its config.
    #[error("plugin `{plugin}` refuses its config: {reason}")]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// Its own words.
        reason: String,
    },
    /// Its plan is not one.
    #[error("plugin `{plugin}` answers `configure` with an impossible plan: {reason}")]
    Plan {
        /// The plugin's name.
        plugin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It faulted while it was started.
    #[error("plugin `{plugin}` failed to start")]
    Fault {
        /// The plugin's name.
        plugin: String,
        /// How.
        #[source]
        fault: Fault,
    },
}

impl Stage {
    /// Checks the grants and links the imports.
    pub fn new(plugin: &Plugin, context: StageContext) -> Result<Stage, StartFault> {
        check_grants(plugin, &context)?;
        let name = plugin.describe().name.clone();
        let prepared = prepare(plugin, &context).map_err(|error| misfit(plugin, &error))?;
        let labels = StageLabels {
            pipeline: context.pipeline.clone(),
            processor: context.processor.clone(),
            plugin: name.clone(),
            plugin_version: plugin.describe().version.clone(),
        };
        let dropped = context.metrics.plugin_log_lines_dropped.get_or_create_owned(&labels);
        let own_labels = OwnLabels {
            pipeline: context.pipeline.clone(),
            processor: context.processor.clone(),
            plugin: name.clone(),
        };
        let inner = Inner {
            plugin: plugin.clone(),
            prepared,
            config: context.config.to_string(),
            signal: context.signal,
            limits: context.limits,
            state: context.state,
            log: Arc::new(Logbook::new(context.pipeline, context.processor, name, dropped)),
            own_metrics: Arc::new(context.own_metrics.stage(own_labels)),
            plan: OnceLock::new(),
            labels,
            metrics: context.metrics,
        };
        Ok(Stage { inner: Arc::new(inner) })
    }

    /// The stage's plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.inner.plugin
    }

    /// Limits of each call.
    pub fn limits(&self) -> &StageLimits {
        &self.inner.limits
    }

    /// Makes an instance and hands it the config. The first one's plan is the stage's; every later one must have
    /// the same, because the projection was made for it.
    pub async fn start(&self) -> Result<Instance, StartFault> {
        let inner = &*self.inner;
        let mut store = self.store();
        let awake = inner.plugin.engine().ticker().keep_awake();
        let fault = |error: wasmtime::Error, store: &mut Store<Host>| StartFault::Fault {
            plugin: self.name(),
            fault: Fault::judge(&error, store.data_mut(), START_DEADLINE),
        };
        let instance = inner.prepared.instantiate(&mut store).await.map_err(|error| fault(error, &mut store))?;
        let guest = inner.prepared.load(&mut store, &instance).map_err(|error| misfit(&inner.plugin, &error))?;
        let configured = guest.configure(&mut store, &inner.config, inner.signal).await;
        let plan = configured
            .map_err(|error| fault(error, &mut store))?
            .map_err(|reason| StartFault::Refused { plugin: self.name(), reason })?;
        drop(awake);
        let plan = self.agree(plan)?;
        Ok(Instance::new(store, guest, plan, inner.plugin.engine().ticker().clone(), inner.limits.deadline))
    }

    /// Counts an instance that took the place of another.
    pub(super) fn renewed(&self, cause: Renewal) {
        let StageLabels { pipeline, processor, plugin, plugin_version } = self.inner.labels.clone();
        let labels = RenewalLabels { pipeline, processor, plugin, plugin_version, cause: cause.name() };
        self.inner.metrics.plugin_instances_renewed.get_or_create_owned(&labels).inc();
    }

    fn agree(&self, plan: Plan) -> Result<Arc<Plan>, StartFault> {
        let impossible = |reason: String| StartFault::Plan { plugin: self.name(), reason };
        check_plan(&plan).map_err(impossible)?;
        let plan = Arc::new(plan);
        let agreed = self.inner.plan.get_or_init(|| Arc::clone(&plan));
        if **agreed != *plan {
            return Err(impossible("it is not the plan that the stage's first instance answered with".to_owned()));
        }
        Ok(Arc::clone(agreed))
    }

    fn store(&self) -> Store<Host> {
        let inner = &*self.inner;
        let host = Host::new(
            Limiter::new(inner.limits.memory),
            Some(Arc::clone(&inner.log)),
            Arc::clone(&inner.own_metrics),
            Arc::clone(&inner.state),
        );
        let mut store = bounded_store(inner.plugin.engine(), host, START_DEADLINE);
        store.set_hostcall_fuel(inner.limits.answer);
        let ticks = Arc::clone(inner.plugin.engine().ticker().ticks());
        store.epoch_deadline_callback(move |store| {
            if ticks.passed(store.data().deadline) {
                return Ok(UpdateDeadline::Interrupt);
            }
            // Tokio's own yield lets the shard's I/O have a turn; wasmtime's would only go to the end of the queue.
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    fn name(&self) -> String {
        self.inner.plugin.describe().name.clone()
    }
}

fn misfit(plugin: &Plugin, error: &wasmtime::Error) -> StartFault {
    StartFault::Link { plugin: plugin.describe().name.clone(), reason: format!("{error:#}") }
}

fn prepare(plugin: &Plugin, context: &StageContext) -> wasmtime::Result<Prepared> {
    let mut linker = Linker::new(plugin.engine().wasm());
    v0_1::link(&mut linker, &context.grants)?;
    if context.empty_wasi {
        empty_wasi::link(&mut linker, plugin.component())?;
    }
    Prepared::new(linker.instantiate_pre(plugin.component())?, plugin.kind())
}

fn check_grants(plugin: &Plugin, context: &StageContext) -> Result<(), StartFault> {
    let (mut imports, mut grants, mut wasi) = (Vec::new(), Vec::new(), false);
    for import in plugin.imports() {
        match import {
            Import::Log => continue,
            Import::Granted(grant) if context.grants.contains(grant) => continue,
            Import::Wasi(_) if context.empty_wasi => continue,
            Import::Granted(grant) => grants.push(grant.name()),
            Import::Wasi(_) => wasi = true,
        }
        imports.push(import.to_string());
    }
    if imports.is_empty() {
        return Ok(());
    }
    let grants = (!grants.is_empty()).then(|| format!("`grants: [{}]`", grants.join(", ")));
    let wasi = wasi.then(|| "`wasi: empty`".to_owned());
    let mend = grants.into_iter().chain(wasi).collect::<Vec<_>>().join(" and ");
    Err(StartFault::NotGranted { plugin: plugin.describe().name.clone(), imports, mend })
}

fn check_plan(plan: &Plan) -> Result<(), String> {
    for (what, entries) in [("reads", &plan.reads), ("writes", &plan.writes), ("reasons", &plan.reasons)] {
        if entries.len() > PLAN_ENTRIES_MAX {
            return Err(format!("{} {what}, more than {PLAN_ENTRIES_MAX}", entries.len()));
        }
        if let Some(long) = entries.iter().find(|entry| entry.len() > PLAN_ENTRY_BYTES_MAX) {
            return Err(format!("one of its {what} has {} bytes, more than {PLAN_ENTRY_BYTES_MAX}", long.len()));
        }
    }
    Ok(())
}

/// A store for a thread that may block: it spins through its ticks until the deadline.
pub(super) fn blocking_store(engine: &Engine, host: Host, time: Duration) -> Store<Host> {
    let mut store = bounded_store(engine, host, time);
    let ticks = Arc::clone(engine.ticker().ticks());
    store.epoch_deadline_callback(move |store| {
        let over = ticks.passed(store.data().deadline);
        Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
    });
    store
}

fn bounded_store(engine: &Engine, mut host: Host, time: Duration) -> Store<Host> {
    host.deadline = engine.ticker().ticks().deadline(time);
    let mut store = Store::new(engine.wasm(), host);
    store.limiter(|host| &mut host.limiter);
    store.set_epoch_deadline(1);
    store
}
