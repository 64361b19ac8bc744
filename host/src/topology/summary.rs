//! What was built, in a few lines of the log: at start and after each reload.

use super::generation::Generation;
use crate::admin::status::ReceiverStatus;

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
