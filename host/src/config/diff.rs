//! What a reload changes: which components stay as they are, so that their listeners and queues survive.

use std::collections::BTreeMap;

use super::spec::{PipelineSpec, Place, Spec, StageSpec};

/// What became of the components of one kind, by id, each in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// Only in the new spec.
    pub added: Vec<String>,
    /// Only in the old spec.
    pub removed: Vec<String>,
    /// In both, but not the same.
    pub changed: Vec<String>,
    /// The same in both.
    pub unchanged: Vec<String>,
}

impl Changes {
    fn between<T>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>, same: impl Fn(&T, &T) -> bool) -> Self {
        let mut changes = Changes::default();
        for (id, component) in new {
            let list = match old.get(id) {
                None => &mut changes.added,
                Some(before) if same(before, component) => &mut changes.unchanged,
                Some(_) => &mut changes.changed,
            };
            list.push(id.clone());
        }
        changes.removed = old.keys().filter(|id| !new.contains_key(*id)).cloned().collect();
        changes
    }

    /// Whether nothing was added, removed or changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The difference between two specs. It says nothing of what lies outside the pipeline files: the content of a
/// `.wasm` file or a crate may have changed under an unchanged stage.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Diff {
    /// Receivers.
    pub receivers: Changes,
    /// Stages.
    pub processors: Changes,
    /// Exporters.
    pub exporters: Changes,
    /// Pipelines; one is unchanged even if a component that it names is not.
    pub pipelines: Changes,
    /// Whether `service` changed, apart from its pipelines.
    pub service: bool,
}

impl Diff {
    /// Whether both specs mean the same.
    pub fn is_empty(&self) -> bool {
        let kinds = [&self.receivers, &self.processors, &self.exporters, &self.pipelines];
        !self.service && kinds.into_iter().all(Changes::is_empty)
    }
}

/// Compares two specs. Where something stands in which file makes no difference.
pub fn diff(old: &Spec, new: &Spec) -> Diff {
    let stage = |a: &StageSpec, b: &StageSpec| {
        let placeless = |s: &StageSpec| StageSpec { place: Place::default(), ..s.clone() };
        placeless(a) == placeless(b)
    };
    let pipeline = |a: &PipelineSpec, b: &PipelineSpec| {
        let fileless = |p: &PipelineSpec| PipelineSpec { file: Default::default(), ..p.clone() };
        fileless(a) == fileless(b)
    };
    Diff {
        receivers: Changes::between(&old.receivers, &new.receivers, PartialEq::eq),
        processors: Changes::between(&old.processors, &new.processors, stage),
        exporters: Changes::between(&old.exporters, &new.exporters, PartialEq::eq),
        pipelines: Changes::between(&old.pipelines, &new.pipelines, pipeline),
        service: old.service != new.service,
    }
}
