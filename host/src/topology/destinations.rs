//! Destinations by exporter, across generations: one that does not change keeps its queue, and one that changes
//! hands its durable queue over.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::config::spec::{ExporterSpec, QueueSpec, Spec};
use crate::dead_letter::DeadLetters;
use crate::destination::queues::{Left, Queues};
use crate::destination::stop::{End, Manner};
use crate::destination::{Destination, Site};
use crate::exporter::BuildError;
use crate::queue::OpenError;
use crate::telemetry::metrics::Metrics;

/// How long a queue may take to close, and how often that is looked at.
const CLOSING_TIME: Duration = Duration::from_secs(10);
const CLOSING_REST: Duration = Duration::from_millis(20);

/// The running destinations, with what each was built from.
#[derive(Clone, Default)]
pub(super) struct Destinations {
    /// Open durable queues, those of destinations on their way out included.
    queues: Arc<Queues>,
    /// Dead-letter files, those of stages included.
    dead_letters: Arc<DeadLetters>,
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
    /// None yet, that will share dead-letter files with stages.
    pub(super) fn none(dead_letters: Arc<DeadLetters>) -> Destinations {
        Destinations { dead_letters, ..Destinations::default() }
    }

    /// The destinations of a spec: those of `self` that are the same, and new ones, which do not touch what lies in
    /// durable queues before they serve. `self` runs on.
    pub(super) async fn next(
        &self,
        spec: &Spec,
        shards: &[Handle],
        metrics: &Metrics,
    ) -> Result<Destinations, ExporterFault> {
        let Destinations { queues, dead_letters, .. } = self;
        let site = Site { shards, metrics, queues, dead_letters };
        let mut next = Destinations { running: BTreeMap::new(), ..self.clone() };
        for (id, exporter) in &spec.exporters {
            let kept = self.running.get(id).filter(|(old, _)| old == exporter);
            let destination = match kept {
                Some((_, destination)) => Arc::clone(destination),
                None => match build(id, exporter, site).await {
                    Ok(destination) => destination,
                    Err(source) => {
                        let Retired { handed_over, ended } = next.retired_by(self);
                        drain([handed_over, ended].concat(), Manner::HandOver, Duration::ZERO).await;
                        return Err(ExporterFault { id: id.clone(), source });
                    }
                },
            };
            next.running.insert(id.clone(), (exporter.clone(), destination));
        }
        Ok(next)
    }

    /// Begins to deliver what lies in durable queues.
    pub(super) fn serve(&self) {
        self.running.values().for_each(|(_, destination)| destination.serve());
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

    /// The directories of durable queues.
    pub(super) fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.running.values().filter_map(|(spec, _)| dir(spec))
    }

    /// Those that are not in `next`.
    pub(super) fn retired_by(&self, next: &Destinations) -> Retired {
        let others: Vec<_> = next.running.values().map(|(_, destination)| Arc::as_ptr(destination)).collect();
        let mut retired = Retired::default();
        for (spec, destination) in self.running.values() {
            if others.contains(&Arc::as_ptr(destination)) {
                continue;
            }
            let is_handed_over = dir(spec).is_some_and(|dir| next.dirs().any(|other| other == dir));
            let list = if is_handed_over { &mut retired.handed_over } else { &mut retired.ended };
            list.push(Arc::clone(destination));
        }
        retired
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Destination>> {
        self.running.values().map(|(_, destination)| Arc::clone(destination)).collect()
    }
}

/// Destinations that a newer generation does not have.
#[derive(Default)]
pub(super) struct Retired {
    /// Somebody else serves their durable queue from now on.
    pub(super) handed_over: Vec<Arc<Destination>>,
    /// The others.
    pub(super) ended: Vec<Arc<Destination>>,
}

/// Builds a destination. A queue that an earlier generation is just closing is waited for.
async fn build(id: &str, spec: &ExporterSpec, site: Site<'_>) -> Result<Arc<Destination>, BuildError> {
    let patience = Instant::now() + CLOSING_TIME;
    loop {
        match Destination::build(id, spec, site) {
            Err(BuildError::Queue(OpenError::Locked { dir }))
                if site.queues.is_closing(&dir) && Instant::now() < patience =>
            {
                sleep(CLOSING_REST).await;
            }
            built => return built,
        }
    }
}

/// Where an exporter's durable queue is.
fn dir(spec: &ExporterSpec) -> Option<&Path> {
    match &spec.queue {
        QueueSpec::Durable(durable) => Some(&durable.dir),
        QueueSpec::Memory { .. } | QueueSpec::None => None,
    }
}

/// Ends destinations side by side; each accounts for what it could not deliver within `patience`. The answer is what
/// stays in durable queues.
pub(super) async fn drain(destinations: Vec<Arc<Destination>>, manner: Manner, patience: Duration) -> Vec<Left> {
    let end = End { deadline: Instant::now() + patience, manner };
    let drains = destinations.iter().map(|destination| destination.drain(end));
    futures_util::future::join_all(drains).await.into_iter().flatten().collect()
}
