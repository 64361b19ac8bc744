//! A generation: one compiled version of all pipelines, immutable once it is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admin::status::{PipelineStatus, StageStatus};
use crate::chain::Chain;
use crate::config::spec::{PluginSource, Spec};
use crate::data::Signal;
use crate::plugin::Digest;

/// One compiled version of all pipelines.
pub struct Generation {
    /// Counted from 1.
    pub number: u64,
    /// What it was built from.
    pub spec: Spec,
    /// Pipelines by id.
    pub pipelines: BTreeMap<String, Arc<Pipeline>>,
    /// The content of every plugin that it uses.
    pub digests: BTreeMap<PluginSource, Digest>,
}

/// One pipeline, compiled.
pub struct Pipeline {
    /// Its id.
    pub id: String,
    /// Its stages.
    pub chain: Chain,
    /// Ids of the exporters that it ends in.
    pub exporters: Vec<String>,
    /// Its stages, for people.
    pub stages: Vec<StageStatus>,
}

impl Generation {
    /// The pipelines of a signal that a receiver feeds.
    pub fn fed_by(&self, receiver: &str, signal: Signal) -> Vec<Arc<Pipeline>> {
        let fed =
            self.spec.pipelines.iter().filter(|(_, pipeline)| {
                pipeline.signal == signal && pipeline.receivers.iter().any(|id| id == receiver)
            });
        fed.filter_map(|(id, _)| self.pipelines.get(id).cloned()).collect()
    }

    /// Its pipelines, for people.
    pub fn status(&self) -> Vec<PipelineStatus> {
        let specs = self.spec.pipelines.iter();
        specs
            .filter_map(|(id, spec)| {
                let pipeline = self.pipelines.get(id)?;
                Some(PipelineStatus {
                    id: id.clone(),
                    signal: spec.signal,
                    generation: self.number,
                    receivers: spec.receivers.clone(),
                    stages: pipeline.stages.clone(),
                    exporters: spec.exporters.clone(),
                })
            })
            .collect()
    }
}
