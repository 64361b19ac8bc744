//! The topology: everything that runs, and how it comes, changes and goes.
//!
//! ```text
//! paths ─load─► Spec ─build─► Generation ─swap─► Running ─┬─ change ─► build beside it ─► swap, or keep the old one
//!                 │             (checked, probed)          └─ signal ─► drain
//!              Problems
//! ```
//! The only module that knows all others. A [`Generation`] is immutable: pipelines with their chains, and which
//! receiver feeds which. Listeners, queues, shards, compiled plugins and plugin state live outside it, so that they
//! survive a swap. A batch that is under way finishes on the generation that it started on.

mod build;
mod destinations;
mod entry;
mod generation;
mod plugins;
mod promise;
mod receivers;
mod reload;
mod rounds;
mod running;
mod summary;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

use self::build::Workshop;
pub use self::generation::{Generation, Pipeline};
pub use self::running::Running;
use crate::admin::{self, Admin, Board};
use crate::audit::Audit;
use crate::config::spec::ServiceSpec;
use crate::config::{self, Loaded, Problems};
use crate::gate::{Alpn, Gate};
use crate::memory::Memory;
use crate::plugin::{Compiler, PluginMetrics};
use crate::telemetry::metrics::Metrics;

/// Signals within this time are one.
const ONE_MOMENT: Duration = Duration::from_millis(200);

/// What `run` was told on its command line.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Pipeline files, or folders of them.
    pub paths: Vec<PathBuf>,
    /// Who compiles plugins.
    pub compiler: Compiler,
}

/// Reads pipeline files with the process's environment.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    config::load(paths, &|name| std::env::var(name).ok())
}

/// Checks pipeline files as far as it goes without serving: plugins are built, loaded, configured and probed.
///
/// # Errors
/// Every problem that was found.
pub async fn validate(loaded: &Loaded) -> anyhow::Result<Result<Generation, Problems>> {
    let (metrics, plugin_metrics) = (Metrics::default(), PluginMetrics::default());
    let workshop = Workshop::new(metrics, plugin_metrics, Audit::default(), Compiler::Here)?.only_checking();
    let generation = workshop.generation(&loaded.spec, 1, 1).await;
    if let Ok(generation) = &generation {
        receivers::gates(generation, &workshop.metrics)?;
        admin_gate(&loaded.spec.service, &workshop.metrics)?;
    }
    Ok(generation)
}

/// Runs pipeline files, which were loaded already, until a signal, or until every replay is through and nothing else
/// could come.
///
/// # Errors
/// What kept it from starting. Later failures are told in the log, the metrics and the status.
pub async fn run(options: RunOptions, loaded: Loaded) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let plugin_metrics = PluginMetrics::default();
    registry.register_collector(Box::new(plugin_metrics.clone()));
    admin::process::register(&mut registry);
    let memory = Memory::new(&loaded.spec.service.memory_limiter, &metrics);
    let audit = Audit::new(loaded.spec.service.audit.clone());
    let board = Board::new(metrics.clone(), memory.clone(), audit.clone());

    let shutdown_timeout = loaded.spec.service.shutdown_timeout;
    let endpoint = loaded.spec.service.admin_endpoint.clone();
    let gate = admin_gate(&loaded.spec.service, &metrics)?;
    let workshop = Workshop::new(metrics, plugin_metrics, audit, options.compiler)?;
    let mut signals = Signals::new()?;
    let watch = reload::Watch::start(&options.paths, &loaded);
    // Before anything is taken from clients: what was taken would be lost if this failed.
    let admin = match &endpoint {
        Some(endpoint) => Some(Admin::start(endpoint, gate.clone(), Arc::new(registry), Arc::clone(&board)).await?),
        None => None,
    };
    let running = tokio::select! {
        running = Running::start(options.paths, loaded, workshop, Arc::clone(&board), memory.clone()) => running?,
        () = signals.ended() => {
            tracing::info!("told to end before anything ran");
            return Ok(());
        }
    };
    if let Some(admin) = &admin {
        let scheme = if gate.speaks_tls() { "https" } else { "http" };
        tracing::info!("metrics and status on {scheme}://{}", admin.local_addr());
    }
    let running = tokio::select! {
        running = reload::until_told(running, watch, &mut signals) => running,
        never = memory.watch() => match never {},
    };
    // First, so that balancers send no more; then listeners close, and what was taken is delivered.
    board.drain();
    tokio::select! {
        () = running.drain(shutdown_timeout) => tracing::info!("drained; bye"),
        () = signals.ended_again() => anyhow::bail!("a second signal ended the drain: what was not delivered and is in no durable queue is lost"),
    }
    if let Some(admin) = admin {
        admin.stop().await;
    }
    let dead: Vec<_> = board.health().dead_tasks.into_iter().map(|dead| dead.task).collect();
    anyhow::ensure!(dead.is_empty(), "it was not healthy at its end: {}", dead.join(", "));
    Ok(())
}

/// What stands before the admin endpoint.
fn admin_gate(spec: &ServiceSpec, metrics: &Metrics) -> anyhow::Result<Gate> {
    let gate = Gate::build("admin", "http", &spec.admin_security, Alpn::Http1, metrics);
    gate.context("the admin endpoint (`service.telemetry`) cannot be secured")
}

/// The signals that the process acts on.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// SIGINT or SIGTERM.
    async fn ended(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// SIGINT or SIGTERM once more. Repeats within a moment are one: a terminal and a supervisor may both send it.
    async fn ended_again(&mut self) {
        sleep(ONE_MOMENT).await;
        let _ = timeout(Duration::ZERO, self.ended()).await;
        self.ended().await;
    }

    /// Whichever comes next.
    async fn told(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.interrupt.recv() => Told::End,
            _ = self.terminate.recv() => Told::End,
        }
    }
}

/// What a signal asks for.
enum Told {
    /// SIGINT, SIGTERM.
    End,
    /// SIGHUP.
    Reload,
}
