//! A running copy of a plugin: one store, called by one shard.
//!
//! A call takes the living part out and puts it back only after an answer. So an instance that trapped, or whose
//! call was cancelled half-way, is gone: there is nothing left that could be called again.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::api::v0_1::{self, Answer, Calls, Guest};
use super::imports::Host;
use super::ticker::{Running, TickerHandle};
use super::{Fault, Plan};
use crate::data::column::{Decisions, Edit, View};

/// A running copy of a plugin.
pub struct Instance {
    live: Option<Box<Live>>,
    plan: Arc<Plan>,
    ticker: TickerHandle,
    deadline: Duration,
    calls: u64,
    memory_at_start: usize,
}

struct Live {
    // Dropped before the store: a cancelled call no longer keeps the ticker awake.
    awake: Option<Running>,
    guest: Guest,
    store: Store<Host>,
}

impl Instance {
    pub(super) fn new(
        store: Store<Host>,
        guest: Guest,
        plan: Arc<Plan>,
        ticker: TickerHandle,
        deadline: Duration,
    ) -> Instance {
        let memory_at_start = store.data().limiter.memory();
        let live = Some(Box::new(Live { awake: None, guest, store }));
        Instance { live, plan, ticker, deadline, calls: 0, memory_at_start }
    }

    /// What it answered `configure` with.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Whether it can no longer be called.
    pub fn is_gone(&self) -> bool {
        self.live.is_none()
    }

    /// Calls that it was asked to answer.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Bytes of linear memory that it had when it was configured.
    pub fn memory_at_start(&self) -> usize {
        self.memory_at_start
    }

    /// Bytes of linear memory that it has.
    pub fn memory(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.store.data().limiter.memory())
    }

    /// Calls a filter: the bitmap of the rows to keep, as the guest gave it.
    pub async fn filter(&mut self, view: &View<'_>) -> Result<Vec<u8>, Fault> {
        let mut live = self.begin()?;
        let Calls::Filter(guest) = &live.guest.calls else { return Err(Fault::Gone) };
        let answer = v0_1::filter(guest, &mut live.store, view).await;
        self.end(live, answer)
    }

    /// Calls a sampler: probabilities and reasons, as the guest gave them.
    pub async fn sample(&mut self, view: &View<'_>) -> Result<Decisions, Fault> {
        let mut live = self.begin()?;
        let Calls::Sampler(guest) = &live.guest.calls else { return Err(Fault::Gone) };
        let answer = v0_1::sample(guest, &mut live.store, view).await;
        self.end(live, answer)
    }

    /// Calls a transform: the edits, as the guest gave them.
    pub async fn transform(&mut self, view: &View<'_>) -> Result<Vec<Edit>, Fault> {
        let mut live = self.begin()?;
        let Calls::Transform(guest) = &live.guest.calls else { return Err(Fault::Gone) };
        let answer = v0_1::transform(guest, &mut live.store, view).await;
        self.end(live, answer)
    }

    fn begin(&mut self) -> Result<Box<Live>, Fault> {
        let mut live = self.live.take().ok_or(Fault::Gone)?;
        self.calls += 1;
        live.awake = Some(self.ticker.keep_awake());
        let host = live.store.data_mut();
        host.deadline = self.ticker.ticks().deadline(self.deadline);
        host.begin_call();
        live.store.set_epoch_deadline(1);
        Ok(live)
    }

    fn end<T>(&mut self, mut live: Box<Live>, answer: Answer<T>) -> Result<T, Fault> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(Fault::judge(&error, live.store.data_mut(), self.deadline)),
        };
        live.awake = None;
        self.live = Some(live);
        answer.map_err(|reason| Fault::refused(&reason))
    }
}
