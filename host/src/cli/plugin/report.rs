//! What the verbs say about a plugin, and how they find it out.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;

use crate::config::spec::{Grant, StageLimits};
use crate::data::Signal;
use crate::plugin::{Plan, Plugin, PluginMetrics, SharedState, Stage, StageContext, StartFault};
use crate::telemetry::metrics::Metrics;

/// What a plugin made of a config.
pub enum Trial {
    /// It took it, and wants this.
    Taken(Plan),
    /// It did not; its own words.
    Refused(String),
}

/// Hands a plugin a config as a pipeline would, with every grant.
pub fn configure(plugin: &Plugin, config: Value, signal: Signal) -> anyhow::Result<Trial> {
    let limits = StageLimits::default();
    let context = StageContext {
        pipeline: signal.name().to_owned(),
        processor: plugin.describe().name.clone(),
        signal,
        config,
        grants: Grant::ALL.to_vec(),
        empty_wasi: true,
        state: Arc::new(SharedState::new(limits.state)),
        limits,
        own_metrics: PluginMetrics::default(),
        metrics: Metrics::default(),
    };
    let stage = Stage::new(plugin, context)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    match runtime.block_on(stage.start()) {
        Ok(instance) => Ok(Trial::Taken(instance.plan().clone())),
        Err(StartFault::Refused { reason, .. }) => Ok(Trial::Refused(reason)),
        Err(fault) => Err(fault.into()),
    }
}

/// Reads a JSON file.
pub fn read_config(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// Parses an argument.
pub fn signal(name: &str) -> Result<Signal, String> {
    Signal::ALL
        .into_iter()
        .find(|signal| signal.name() == name)
        .ok_or_else(|| format!("expected one of {}", Signal::ALL.map(Signal::name).join(", ")))
}

/// Bytes, for people.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_reads_best() {
        assert_eq!([size(17), size(1024), size(200_000), size(2_000_000)], ["17 bytes", "1 KiB", "196 KiB", "1.9 MiB"]);
    }
}
