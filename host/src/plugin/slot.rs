//! The place of one instance: one a shard and stage. It replaces an instance that faulted, but not endlessly, and one
//! that is old or has grown, between two calls.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::search::{Allowance, Search};
use super::{Fault, Instance, Plan, Renewal, Stage, StartFault};
use crate::data::column::{Decisions, Edit, View};

/// Calls that an instance is kept for, however much it has grown: one that is large by nature is not made anew for
/// each batch.
const CALLS_MIN: u64 = 64;

/// Keeps an instance of a stage, and starts a new one after a fault.
pub struct Slot {
    stage: Stage,
    plan: Arc<Plan>,
    instance: Option<Instance>,
    breaker: Breaker,
    /// The last call was answered, and the answer was not condemned yet.
    answered: bool,
    /// Set while the batch is searched for the records that make the plugin fault.
    search: Option<Search>,
    /// The time that searches may take.
    allowance: Allowance,
}

impl Slot {
    /// Starts the first instance; a plugin that does not start here keeps its generation from being served.
    pub async fn start(stage: &Stage) -> Result<Slot, StartFault> {
        let instance = stage.start().await?;
        let plan = Arc::clone(instance.plan());
        let allowance = Allowance::new(stage.limits().search_time, Instant::now());
        Ok(Slot {
            stage: stage.clone(),
            plan,
            instance: Some(instance),
            breaker: Breaker::default(),
            answered: false,
            search: None,
            allowance,
        })
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
        self.instance = None;
        match &mut self.search {
            Some(search) => search.condemned(),
            None => {
                self.answered = false;
                self.breaker.faulted(Instant::now());
            }
        }
    }

    /// Begins a search after a fault: until its end, faults do not open the breaker one by one. The answer is the time
    /// that it may take; none if it may not be made: the breaker is not closed, or earlier searches took too long.
    pub fn begin_search(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let time = self.allowance.left(now).min(self.stage.limits().search_time);
        // With less than half of its time a search would mostly end in vain.
        if !self.breaker.is_closed() || time.is_zero() || time < self.stage.limits().search_time / 2 {
            return None;
        }
        self.search = Some(Search::new(now));
        Some(time)
    }

    /// Ends a search, if there is one. A plugin that answered for any part of the batch works; one that faulted on all
    /// of them has done so in a row.
    pub fn end_search(&mut self) {
        let Some(search) = self.search.take() else { return };
        let now = Instant::now();
        self.allowance.spend(now.duration_since(search.started()), now);
        if search.has_answers() {
            self.breaker.succeeded();
        } else {
            (0..search.faults()).for_each(|_| self.breaker.faulted(now));
        }
    }

    /// The instance; a new one if the last call left none (or was cancelled), unless the breaker is open.
    async fn ready(&mut self) -> Result<&mut Instance, Fault> {
        if std::mem::take(&mut self.answered) {
            self.breaker.succeeded();
        }
        if self.search.is_none() && !self.breaker.is_closed() {
            self.breaker.check(Instant::now()).map_err(Fault::Open)?;
        }
        let instance = match self.instance.take() {
            Some(instance) if instance.is_gone() => self.replacement().await?,
            Some(instance) => match self.is_due(&instance) {
                Some(renewal) => self.renew(instance, renewal).await,
                None => instance,
            },
            None => self.replacement().await?,
        };
        Ok(self.instance.insert(instance))
    }

    async fn replacement(&self) -> Result<Instance, Fault> {
        let instance = self.stage.start().await.map_err(|fault| Fault::Start(Box::new(fault)))?;
        self.stage.renewed(Renewal::Fault);
        Ok(instance)
    }

    /// Whether the instance has done its part.
    fn is_due(&self, instance: &Instance) -> Option<Renewal> {
        let limits = self.stage.limits();
        if limits.calls.is_some_and(|calls| instance.calls() >= calls.get()) {
            return Some(Renewal::Calls);
        }
        let has_grown = instance.memory() > limits.memory / 10 * 9 && instance.memory() > instance.memory_at_start();
        (has_grown && instance.calls() >= CALLS_MIN).then_some(Renewal::Memory)
    }

    /// A new instance; the old one stays if there is none to be had, as there is nothing wrong with it.
    async fn renew(&self, old: Instance, renewal: Renewal) -> Instance {
        match self.stage.start().await {
            Ok(new) => {
                self.stage.renewed(renewal);
                new
            }
            Err(_) => old,
        }
    }

    fn settle<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        // Its own refusal is an answer: it costs no more than any call.
        let is_answer = matches!(answer, Ok(_) | Err(Fault::Refused(_)));
        match (&mut self.search, &answer) {
            (_, Err(Fault::Open(_))) => {}
            (Some(search), _) if is_answer => search.answered(),
            (Some(search), _) => search.faulted(),
            (None, _) if is_answer => self.answered = true,
            (None, _) => self.breaker.faulted(Instant::now()),
        }
        if !is_answer && !matches!(answer, Err(Fault::Open(_))) {
            self.instance = None;
        }
        answer
    }
}
