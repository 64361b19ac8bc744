//! Destinations by exporter, across generations: one that does not change keeps its queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::config::spec::{ExporterSpec, Spec};
use crate::destination::Destination;
use crate::exporter::BuildError;
use crate::telemetry::metrics::Metrics;

/// The running destinations, with what each was built from.
#[derive(Clone, Default)]
pub(super) struct Destinations {
    running: BTreeMap<String, (ExporterSpec, Arc<Destination>)>,
}

/// An exporter that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("exporter `{id}` cannot be built")]
pub(super) struct ExporterFault {
    id: String,
    #[source]
    source: BuildError,
}

impl Destinations {
    /// The destinations of a spec: those of `self` that are the same, and new ones. `self` runs on.
    pub(super) fn next(
        &self,
        spec: &Spec,
        shards: &[Handle],
        metrics: &Metrics,
    ) -> Result<Destinations, ExporterFault> {
        let mut running = BTreeMap::new();
        for (id, exporter) in &spec.exporters {
            let kept = self.running.get(id).filter(|(old, _)| old == exporter);
            let destination = match kept {
                Some((_, destination)) => Arc::clone(destination),
                None => Destination::start(id, exporter, shards, metrics)
                    .map_err(|source| ExporterFault { id: id.clone(), source })?,
            };
            running.insert(id.clone(), (exporter.clone(), destination));
        }
        Ok(Destinations { running })
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Destination>> {
        self.running.get(id).map(|(_, destination)| Arc::clone(destination))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.running.keys()
    }

    /// The URLs that each sends to.
    pub(super) fn endpoints(&self) -> BTreeMap<String, Vec<String>> {
        self.running.iter().map(|(id, (_, destination))| (id.clone(), destination.endpoints().to_vec())).collect()
    }

    /// Those that are not in `other`.
    pub(super) fn without(&self, other: &Destinations) -> Vec<Arc<Destination>> {
        let others: Vec<_> = other.running.values().map(|(_, destination)| Arc::as_ptr(destination)).collect();
        let mine = self.running.values().map(|(_, destination)| destination);
        mine.filter(|destination| !others.contains(&Arc::as_ptr(destination))).cloned().collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Destination>> {
        self.without(&Destinations::default())
    }
}

/// Ends destinations side by side; each accounts for what it could not deliver within `patience`.
pub(super) async fn drain(destinations: Vec<Arc<Destination>>, patience: Duration) {
    let deadline = Instant::now() + patience;
    let drains = destinations.iter().map(|destination| destination.drain(deadline));
    futures_util::future::join_all(drains).await;
}
