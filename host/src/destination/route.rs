//! The way of one lane's batches to the endpoints of its destination.
//!
//! A batch goes to the endpoint that is next and works; where an attempt fails it goes to another at once, until each
//! was tried in this round. While no endpoint works a batch waits here, with its place kept, until one may be probed:
//! nothing is given up for a circuit that is open.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::{Instant, sleep_until};

use super::balance::Balancer;
use super::ends::{Ends, Visit};
use super::stop::Stop;
use crate::config::spec::{Balance, TargetSpec};
use crate::data::Signal;
use crate::exporter::clients::Clients;
use crate::exporter::{Access, BuildError, Exporter, Failure, Frames, Outcome};

/// How often it is looked whether a batch that waits is still wanted.
const LOOK: Duration = Duration::from_secs(1);

/// The clients of one lane, and the choice among them.
#[derive(Debug)]
pub struct Route {
    ends: Arc<Ends>,
    clients: Vec<Clients>,
    balancer: Mutex<Balancer>,
}

/// The endpoints that were tried since the batch last waited.
#[derive(Debug, Default)]
pub struct Round(SmallVec<[usize; 4]>);

/// An attempt that may be made.
#[derive(Debug)]
#[must_use = "the endpoint counts it as under way"]
pub struct Attempt<'a> {
    visit: Visit<'a>,
    client: Arc<Exporter>,
}

impl Route {
    /// Builds the clients of lane `number`; must be called inside the runtime that will use them.
    pub fn build(target: &TargetSpec, access: &Access, ends: Arc<Ends>, number: usize) -> Result<Route, BuildError> {
        let each = target.each();
        let weights = each.iter().map(|(_, weight)| weight.get()).collect();
        let clients = each.into_iter().map(|(one, _)| Clients::build(one, access)).collect::<Result<_, _>>()?;
        let balance = target.spread().map_or(Balance::Failover, |spread| spread.balance);
        Ok(Route { ends, clients, balancer: Mutex::new(Balancer::new(balance, weights, number)) })
    }

    /// Turns the requests of one batch into what every attempt sends, whichever endpoint it goes to.
    pub async fn prepare(&self, signal: Signal, requests: &[Bytes]) -> Result<Frames, Failure> {
        match self.clients.first() {
            Some(clients) => clients.any().prepare(signal, requests).await,
            None => Err(Failure::permanent("there is no endpoint")),
        }
    }

    /// Whether an endpoint that this round has not tried works now.
    pub fn has_another(&self, round: &Round) -> bool {
        let now = Instant::now();
        (0..self.clients.len()).any(|index| !round.0.contains(&index) && self.ends.lets_in(index, now))
    }

    /// Waits until an endpoint may be tried, and chooses it. When the destination comes to its end, circuits are not
    /// minded: there may be no time for another chance. None: no endpoint works, and the batch is not `wanted` to wait.
    pub async fn passage(&self, round: &mut Round, stop: &Stop, wanted: impl Fn() -> bool) -> Option<Attempt<'_>> {
        loop {
            let changed = self.ends.changed();
            let now = Instant::now();
            let works = |index| self.ends.lets_in(index, now);
            let attempt = self.choose(round, works, |index| self.ends.enter(index, now));
            if attempt.is_some() {
                return attempt;
            }
            if !wanted() {
                return None;
            }
            if stop.is_asked() {
                return self.choose(round, |_| true, |index| self.ends.force(index));
            }
            let look = (now + LOOK).min(self.ends.opens_at().unwrap_or(now + LOOK));
            tokio::select! {
                () = changed => {}
                () = sleep_until(look) => {}
                _ = stop.asked() => {}
            }
        }
    }

    fn choose<'a>(
        &'a self,
        round: &mut Round,
        works: impl Fn(usize) -> bool,
        enter: impl Fn(usize) -> Option<Visit<'a>>,
    ) -> Option<Attempt<'a>> {
        let usable = |index: usize| !round.0.contains(&index) && works(index);
        let index = self.balancer.lock().next(usable, |index| self.ends.load(index))?;
        // Another lane may have been faster at a probe; then there is a change to wait for.
        let visit = enter(index)?;
        let client = self.clients.get(index)?.next(self.ends.moves(index));
        round.0.push(index);
        Some(Attempt { visit, client })
    }
}

impl Attempt<'_> {
    /// Makes it, and tells the circuit how it went.
    pub async fn make(self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        let result = self.client.attempt(signal, frames).await;
        match &result {
            Err(failure) if failure.is_retryable() => self.visit.failed(),
            Ok(_) | Err(_) => self.visit.answered(),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::spec::{Encoding, OtlpHttpClientSpec};
    use crate::exporter::testing::{Peer, client, spans};
    use crate::telemetry::metrics::Metrics;

    #[tokio::test]
    async fn f37_new_requests_go_over_new_connections_when_an_endpoint_has_moved() {
        let peer = Peer::http([]).await;
        let (client, encoding) = (client(&peer.url), Encoding::Protobuf);
        let target = TargetSpec::OtlpHttp(OtlpHttpClientSpec { client, encoding, endpoints: BTreeMap::new() });
        let ends = Arc::new(Ends::new("otlphttp", &target, &Metrics::default()));
        let route = Route::build(&target, &Access::default(), Arc::clone(&ends), 0).unwrap();
        let frames = route.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
        let (_stop_tx, stop) = Stop::channel();
        for moves in [false, false, true, false] {
            if moves {
                ends.moved(0);
            }
            let attempt = route.passage(&mut Round::default(), &stop, || true).await.unwrap();
            attempt.make(Signal::Traces, &frames).await.unwrap();
        }
        let connections: Vec<usize> = peer.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 0, 1, 1]);
    }

    #[tokio::test]
    async fn f35_a_probe_that_is_given_up_makes_room_for_another() {
        let mut client = client("http://127.0.0.1:1");
        client.spread.circuit = Some(crate::config::spec::CircuitSpec {
            failures: std::num::NonZeroU32::MIN,
            open_for: Duration::from_millis(1),
            open_max: Duration::from_millis(1),
            probes: std::num::NonZeroUsize::MIN,
        });
        let target = TargetSpec::OtlpGrpc(client);
        let ends = Arc::new(Ends::new("otlp", &target, &Metrics::default()));
        let route = Route::build(&target, &Access::default(), Arc::clone(&ends), 0).unwrap();
        let frames = route.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
        let (_stop_tx, stop) = Stop::channel();
        let attempt = route.passage(&mut Round::default(), &stop, || true).await.unwrap();
        assert!(attempt.make(Signal::Traces, &frames).await.is_err());
        let probe = route.passage(&mut Round::default(), &stop, || true).await.unwrap();
        assert!(!route.has_another(&Round::default()), "one probe at a time");
        let unwanted = route.passage(&mut Round::default(), &stop, || false).await;
        assert!(unwanted.is_none(), "a batch that nobody wants does not wait");
        drop(probe);
        assert_eq!(ends.load(0), 0);
        assert!(route.passage(&mut Round::default(), &stop, || true).await.is_some());
    }
}
