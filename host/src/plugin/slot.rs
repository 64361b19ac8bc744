//! The place of one instance: one a shard and stage. It replaces an instance that faulted, but not endlessly.

use std::sync::Arc;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::{Fault, Instance, Plan, Stage, StartFault};
use crate::data::column::{Decisions, Edit, View};

/// Keeps an instance of a stage, and starts a new one after a fault.
pub struct Slot {
    stage: Stage,
    plan: Arc<Plan>,
    instance: Option<Instance>,
    breaker: Breaker,
    /// The last call was answered, and the answer was not condemned yet.
    answered: bool,
}

impl Slot {
    /// Starts the first instance; a plugin that does not start here keeps its generation from being served.
    pub async fn start(stage: &Stage) -> Result<Slot, StartFault> {
        let instance = stage.start().await?;
        let plan = Arc::clone(instance.plan());
        Ok(Slot { stage: stage.clone(), plan, instance: Some(instance), breaker: Breaker::default(), answered: false })
    }

    /// The stage.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The plan: the same for every instance of the stage.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Bytes of linear memory that the instance has; 0 between instances.
    pub fn memory(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::memory)
    }

    /// Calls the filter; see [`Instance::filter`].
    pub async fn filter(&mut self, view: &View<'_>) -> Result<Vec<u8>, Fault> {
        let answer = match self.ready().await {
            Ok(instance) => instance.filter(view).await,
            Err(fault) => Err(fault),
        };
        self.settle(answer)
    }

    /// Calls the sampler; see [`Instance::sample`].
    pub async fn sample(&mut self, view: &View<'_>) -> Result<Decisions, Fault> {
        let answer = match self.ready().await {
            Ok(instance) => instance.sample(view).await,
            Err(fault) => Err(fault),
        };
        self.settle(answer)
    }

    /// Calls the transform; see [`Instance::transform`].
    pub async fn transform(&mut self, view: &View<'_>) -> Result<Vec<Edit>, Fault> {
        let answer = match self.ready().await {
            Ok(instance) => instance.transform(view).await,
            Err(fault) => Err(fault),
        };
        self.settle(answer)
    }

    /// Says that the last answer made no sense: counts as a fault, and its instance is not asked again.
    pub fn condemn(&mut self) {
        self.answered = false;
        self.instance = None;
        self.breaker.faulted(Instant::now());
    }

    /// The instance; a new one if the last call left none (or was cancelled), unless the breaker is open.
    async fn ready(&mut self) -> Result<&mut Instance, Fault> {
        if std::mem::take(&mut self.answered) {
            self.breaker.succeeded();
        }
        self.breaker.check(Instant::now()).map_err(Fault::Open)?;
        let instance = match self.instance.take() {
            Some(instance) if !instance.is_gone() => instance,
            _ => self.stage.start().await.map_err(|fault| Fault::Start(Box::new(fault)))?,
        };
        Ok(self.instance.insert(instance))
    }

    fn settle<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        match &answer {
            // Its own refusal is an answer: it costs no more than any call.
            Ok(_) | Err(Fault::Refused(_)) => self.answered = true,
            Err(Fault::Open(_)) => {}
            Err(_) => {
                self.instance = None;
                self.breaker.faulted(Instant::now());
            }
        }
        answer
    }
}
