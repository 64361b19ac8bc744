//! The entry of a receiver into a generation: requests go in, and are acknowledged when every destination of every
//! pipeline that takes them has taken charge.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::generation::Pipeline;
use crate::chain::Outcome;
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::batch::Rejection;
use crate::data::intake::{Intake, Receipt, Refusal, Request};
use crate::data::walk::Limits;
use crate::destination::{Busy, Destination, Permit, Verdict};

/// When a client whose request was not delivered, without a queue between, may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a receiver hands requests to. Keeps its generation's pipelines alive as long as a request is under way.
pub(super) struct Entry {
    pipelines: BTreeMap<Signal, Vec<Route>>,
    limits: Limits,
    _lease: Lease,
}

/// Held by every entry of a generation: when the last one is gone, no request of that generation is under way.
pub(super) type Lease = mpsc::Sender<Infallible>;

/// A pipeline and the destinations that it ends in.
pub(super) struct Route {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) destinations: Vec<Arc<Destination>>,
}

impl Entry {
    pub(super) fn new(pipelines: BTreeMap<Signal, Vec<Route>>, limits: &RequestLimits, lease: Lease) -> Entry {
        let limits = Limits {
            value_depth: limits.max_value_depth,
            attributes: limits.max_attributes,
            attribute_bytes: limits.max_attribute_bytes,
        };
        Entry { pipelines, limits, _lease: lease }
    }

    async fn process(&self, request: Request) -> Result<Receipt, Refusal> {
        let routes = self.pipelines.get(&request.signal).map(Vec::as_slice).unwrap_or_default();
        if routes.is_empty() {
            return Err(Refusal::NoPipeline(request.signal));
        }
        let mut outcomes = Vec::with_capacity(routes.len());
        for route in routes {
            outcomes.push(route.pipeline.chain.run(request.shard, &request.bytes, self.limits).await?);
        }
        deliver(request.shard, routes, &outcomes).await?;
        for (route, outcome) in routes.iter().zip(&outcomes) {
            route.pipeline.chain.settle(outcome);
        }
        // The walk judges records alike for every pipeline.
        Ok(outcomes.first().map(receipt).unwrap_or_default())
    }
}

/// Takes a place at every destination before any is given something, so that a full one makes no duplicates at the
/// others; then waits until all are in charge.
async fn deliver(shard: usize, routes: &[Route], outcomes: &[Outcome]) -> Result<(), Refusal> {
    let mut permits = Vec::with_capacity(routes.len());
    for (route, outcome) in routes.iter().zip(outcomes) {
        let Some(payload) = &outcome.payload else { continue };
        for destination in &route.destinations {
            permits.push(destination.reserve(shard, payload.clone()).map_err(|busy| refusal(&busy))?);
        }
    }
    let charges: Vec<_> = permits.into_iter().map(Permit::send).filter(|charge| !charge.is_taken()).collect();
    let mut worst = Verdict::Taken;
    for charge in charges {
        worst = worst.max(charge.wait().await);
    }
    match worst {
        // What a peer refused for good is counted as dropped at its exporter; to come again would not help.
        Verdict::Taken | Verdict::Refused => Ok(()),
        Verdict::Undelivered => {
            Err(Refusal::Busy { reason: "a destination could not deliver".to_owned(), retry_after: RETRY_AFTER })
        }
    }
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
