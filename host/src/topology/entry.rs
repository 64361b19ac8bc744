//! The entry of a receiver into a generation: requests go in, and are acknowledged when every destination of every
//! pipeline that takes them has taken charge.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::generation::Pipeline;
use super::promise::Promise;
use crate::chain::Outcome;
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::batch::Rejection;
use crate::data::intake::{Intake, Receipt, Refusal, Request};
use crate::data::walk::Limits;
use crate::destination::{Busy, Charge, Destination, Permit};
use crate::memory::{self, Kind, Memory};
use crate::receiver::meter::Meter;
use crate::shard::Shards;

/// When a client whose request was not delivered, without a queue between, may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a receiver hands requests to. Keeps its generation's pipelines alive as long as a request is under way.
pub(super) struct Entry {
    pipelines: BTreeMap<Signal, Vec<Route>>,
    limits: Limits,
    /// Counts what is delivered after its client has hung up.
    late: Arc<Meter>,
    memory: Memory,
    shards: Shards,
    lease: Lease,
}

/// Held by every entry of a generation: when the last one is gone, no request of that generation is under way.
pub(super) type Lease = mpsc::Sender<Infallible>;

/// A pipeline and the destinations that it ends in.
pub(super) struct Route {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) destinations: Vec<Arc<Destination>>,
}

impl Entry {
    pub(super) fn new(
        pipelines: BTreeMap<Signal, Vec<Route>>,
        limits: &RequestLimits,
        late: Arc<Meter>,
        memory: Memory,
        shards: Shards,
        lease: Lease,
    ) -> Entry {
        let limits = Limits {
            value_depth: limits.max_value_depth,
            attributes: limits.max_attributes,
            attribute_bytes: limits.max_attribute_bytes,
        };
        Entry { pipelines, limits, late, memory, shards, lease }
    }

    async fn process(&self, request: Request) -> Result<Receipt, Refusal> {
        let routes = self.pipelines.get(&request.signal).map(Vec::as_slice).unwrap_or_default();
        if routes.is_empty() {
            return Err(Refusal::NoPipeline(request.signal));
        }
        let mut outcomes = Vec::with_capacity(routes.len());
        for route in routes {
            let outcome = route.pipeline.chain.run(request.shard, &request.bytes, self.limits).await?;
            outcomes.push(self.held(&request.bytes, outcome)?);
        }
        let charges = send(request.shard, routes, &outcomes)?;
        // The walk judges records alike for every pipeline.
        let receipt = outcomes.first().map(receipt).unwrap_or_default();
        let account = Account {
            ends: routes.iter().map(|route| Arc::clone(&route.pipeline)).zip(outcomes).collect(),
            signal: request.signal,
            receipt,
        };
        if charges.is_empty() {
            return Ok(account.settle());
        }
        let late = (Arc::clone(&self.late), self.lease.clone());
        let promise = Promise::new(charges, account, late, self.shards.clone(), request.shard);
        let undelivered =
            || Refusal::Busy { reason: "a destination could not deliver".to_owned(), retry_after: RETRY_AFTER };
        promise.kept().await.ok_or_else(undelivered)
    }
}

impl Entry {
    /// Takes a lease for what a chain wrote anew. What it passed on as it came has the lease of the request.
    fn held(&self, request: &Bytes, mut outcome: Outcome) -> Result<Outcome, Refusal> {
        let edited = outcome.payload.as_mut().filter(|payload| payload.bytes.as_ptr() != request.as_ptr());
        if let Some(payload) = edited {
            let lease = self.memory.lease_of(Kind::Edited, payload.bytes.len());
            let lease =
                lease.map_err(|short| Refusal::Busy { reason: short.to_string(), retry_after: memory::RETRY_AFTER })?;
            payload.bytes = lease.keep(std::mem::take(&mut payload.bytes), Kind::Edited);
        }
        Ok(outcome)
    }
}

/// What is counted when every destination has taken charge.
pub(super) struct Account {
    ends: Vec<(Arc<Pipeline>, Outcome)>,
    pub(super) signal: Signal,
    receipt: Receipt,
}

impl Account {
    /// Counts what stages dropped; what the receiver took is counted by whoever gets the receipt.
    pub(super) fn settle(self) -> Receipt {
        for (pipeline, outcome) in &self.ends {
            pipeline.chain.settle(outcome);
        }
        self.receipt
    }
}

/// Takes a place at every destination before any is given something, so that a full one makes no duplicates at the
/// others. The answer is what has to be waited for.
fn send(shard: usize, routes: &[Route], outcomes: &[Outcome]) -> Result<Vec<Charge>, Refusal> {
    let mut permits = Vec::with_capacity(routes.len());
    for (route, outcome) in routes.iter().zip(outcomes) {
        let Some(payload) = &outcome.payload else { continue };
        for destination in &route.destinations {
            permits.push(destination.reserve(shard, payload.clone()).map_err(|busy| refusal(&busy))?);
        }
    }
    Ok(permits.into_iter().map(Permit::send).filter(|charge| !charge.is_taken()).collect())
}

fn refusal(busy: &Busy) -> Refusal {
    Refusal::Busy { reason: busy.to_string(), retry_after: busy.retry_after() }
}

fn receipt(outcome: &Outcome) -> Receipt {
    let rejected = outcome.rejected.values().sum();
    let reason = |(rejection, count): (&Rejection, &u64)| format!("{rejection} ({count})");
    let reasons: Vec<String> = outcome.rejected.iter().map(reason).collect();
    Receipt { accepted: outcome.received.saturating_sub(rejected), rejected, message: reasons.join("; ") }
}

impl Intake for Entry {
    fn take(&self, request: Request) -> BoxFuture<'_, Result<Receipt, Refusal>> {
        Box::pin(self.process(request))
    }
}
