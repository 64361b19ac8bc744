//! What was built, in a few lines of the log: at start and after each reload.

use super::generation::Generation;
use crate::admin::status::{ReceiverStatus, StageStatus};
use crate::telemetry::metrics::{Metrics, StageLabels};

/// Logs the listeners, and each pipeline as the path that a batch takes.
pub(super) fn log(generation: &Generation, receivers: &[ReceiverStatus]) {
    for receiver in receivers {
        let address = receiver.address.as_deref().unwrap_or("nowhere yet");
        tracing::info!("receiver {} listens for {} on {address}", receiver.id, receiver.transport);
    }
    for pipeline in generation.status() {
        let stages = pipeline.stages.iter().map(|stage| {
            let name =
                if stage.id == stage.plugin { stage.id.clone() } else { format!("{} ({})", stage.id, stage.plugin) };
            format!("{name} {}", stage.version)
        });
        let ends = [pipeline.receivers.join(", ")].into_iter().chain(stages).chain([pipeline.exporters.join(", ")]);
        let path: Vec<String> = ends.collect();
        tracing::info!("pipeline {}: {}", pipeline.id, path.join(" → "));
    }
}

/// Logs what each stage was given, passed on and changed since the process began.
pub(super) fn log_work(generation: &Generation, metrics: &Metrics) {
    for pipeline in generation.status() {
        for StageStatus { id, plugin, version, kind, .. } in &pipeline.stages {
            let labels = StageLabels {
                pipeline: pipeline.id.clone(),
                processor: id.clone(),
                plugin: plugin.clone(),
                plugin_version: version.clone(),
            };
            let incoming = metrics.stage_incoming.get_or_create_owned(&labels).get();
            let outgoing = metrics.stage_outgoing.get_or_create_owned(&labels).get();
            let edits = metrics.stage_edits.get_or_create_owned(&labels).get();
            let (records, dropped) = (pipeline.signal.records().replace('_', " "), incoming.saturating_sub(outgoing));
            let changed = if kind == "transform" { format!(", {edits} values changed") } else { String::new() };
            tracing::info!("{kind} {id}: {incoming} {records} in, {outgoing} out, {dropped} dropped{changed}");
        }
    }
}
