//! Admission: whether a request may begin, and what it may hold while it is read.
//!
//! ```text
//!  head ─► enter ─► Ticket ─► body, decompressed, from JSON: each buffer a lease ─► intake ─► answer
//!            │         (in flight until the answer)     (held until the last slice is gone)
//!            └ refused: the rate of the client, bytes in flight, memory
//! ```
//!
//! Whatever does not fit is refused at once and retryably, never made to wait: a waiting request holds memory too.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::meter::Limit;
use super::rate::RateLimiter;
use crate::config::spec::{AdmissionSpec, RateLimitSpec};
use crate::data::Signal;
use crate::memory::{self, Kind, Lease, Memory, Shortage};

/// Who asks, and where it is served.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The shard that runs it.
    pub shard: usize,
    /// The client's address.
    pub peer: IpAddr,
}

/// The gate of one listener. A clone is the same gate.
#[derive(Clone, Debug)]
pub struct Admission {
    memory: Memory,
    in_flight: Arc<AtomicUsize>,
    in_flight_max: Option<usize>,
    rate: Option<Arc<RateLimiter>>,
}

/// A request that is not taken on now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TurnedAway {
    /// The limit that it met.
    pub limit: Limit,
    /// Why, for people.
    pub reason: String,
    /// When to come again.
    pub retry_after: Duration,
}

impl From<Shortage> for TurnedAway {
    fn from(shortage: Shortage) -> Self {
        let limit = match shortage {
            Shortage::Soft { .. } => Limit::MemorySoft,
            Shortage::Hard { .. } => Limit::MemoryHard,
            Shortage::Resident { .. } => Limit::MemoryResident,
        };
        TurnedAway { limit, reason: shortage.to_string(), retry_after: memory::RETRY_AFTER }
    }
}

impl Admission {
    /// A gate before an account of memory.
    pub fn new(spec: &AdmissionSpec, rate: Option<&RateLimitSpec>, memory: &Memory) -> Admission {
        Admission {
            memory: memory.clone(),
            in_flight: Arc::default(),
            in_flight_max: spec.max_in_flight_bytes,
            rate: rate.map(|spec| Arc::new(RateLimiter::new(spec))),
        }
    }

    /// Goes on where the gate of an earlier wiring was: what is in flight stays so, and an unchanged rate keeps its
    /// memory of clients.
    pub fn take_over(&mut self, earlier: &Admission) {
        self.in_flight = Arc::clone(&earlier.in_flight);
        if let (Some(new), Some(old)) = (&mut self.rate, &earlier.rate)
            && old.spec() == new.spec()
        {
            *new = Arc::clone(old);
        }
    }

    /// Begins a request, of which only the head is known.
    pub fn enter(&self, caller: Caller, headers: &HeaderMap) -> Result<Ticket, TurnedAway> {
        let client = self.rate.as_ref().map(|rate| rate.client(caller.peer, headers));
        // First what only this client feels.
        if let (Some(rate), Some(client)) = (&self.rate, client) {
            rate.request(client)?;
        }
        self.memory.admit()?;
        let ticket = Ticket { gate: self.clone(), client, bytes: 0 };
        ticket.check_in_flight(self.in_flight.load(Ordering::Relaxed))?;
        Ok(ticket)
    }

    /// The largest request that could ever be held.
    pub fn largest(&self) -> usize {
        self.memory.hard_limit()
    }
}

/// A request that is under way, from its head to its answer.
#[derive(Debug)]
pub struct Ticket {
    gate: Admission,
    client: Option<u64>,
    bytes: usize,
}

impl Ticket {
    /// A lease for a buffer, to be grown with [`Ticket::grow`].
    pub fn lease(&self, kind: Kind) -> Lease {
        self.gate.memory.lease(kind)
    }

    /// Takes so many bytes more for a buffer that is about to grow.
    pub fn grow(&mut self, lease: &mut Lease, more: usize) -> Result<(), TurnedAway> {
        let before = self.gate.in_flight.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        // The first request always fits: it could never come otherwise.
        if before + more > self.bytes {
            self.check_in_flight(before + more)?;
        }
        Ok(lease.grow(more)?)
    }

    /// Asks whether the client may send so many records more.
    pub fn records(&self, signal: Signal, request: &Bytes) -> Result<(), TurnedAway> {
        match (&self.gate.rate, self.client) {
            (Some(rate), Some(client)) => rate.records(client, signal, request),
            _ => Ok(()),
        }
    }

    fn check_in_flight(&self, bytes: usize) -> Result<(), TurnedAway> {
        match self.gate.in_flight_max {
            Some(max) if bytes > max => Err(TurnedAway {
                limit: Limit::InFlight,
                reason: format!("the requests that this listener works on hold {max} bytes already"),
                retry_after: memory::RETRY_AFTER,
            }),
            _ => Ok(()),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.in_flight.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(max: usize) -> Admission {
        let spec = AdmissionSpec { max_in_flight_bytes: Some(max), ..AdmissionSpec::default() };
        Admission::new(&spec, None, &Memory::unlimited())
    }

    fn enter(gate: &Admission) -> Result<Ticket, TurnedAway> {
        gate.enter(Caller { shard: 0, peer: [127, 0, 0, 1].into() }, &HeaderMap::new())
    }

    #[tokio::test]
    async fn bytes_are_in_flight_until_the_answer_and_held_until_the_last_slice() {
        let gate = gate(1000);
        let mut first = enter(&gate).unwrap();
        let mut lease = first.lease(Kind::Reading);
        first.grow(&mut lease, 900).unwrap();
        let mut second = enter(&gate).unwrap();
        let mut other = second.lease(Kind::Reading);
        assert_eq!(second.grow(&mut other, 200).unwrap_err().limit, Limit::InFlight);
        drop((second, other));
        let kept = lease.keep(Bytes::from(vec![0; 900]), Kind::Requests);
        drop(first);
        assert_eq!((gate.in_flight.load(Ordering::Relaxed), gate.memory.held()), (0, 900));
        drop(kept);
        assert_eq!(gate.memory.held(), 0);
    }

    #[tokio::test]
    async fn a_request_that_is_alone_may_be_larger_than_the_limit() {
        let gate = gate(1000);
        let mut only = enter(&gate).unwrap();
        let mut lease = only.lease(Kind::Reading);
        only.grow(&mut lease, 5000).unwrap();
        assert_eq!(enter(&gate).unwrap_err().limit, Limit::InFlight);
    }

    #[tokio::test]
    async fn a_reload_forgets_nothing_that_is_in_flight() {
        let before = gate(1000);
        let mut under_way = enter(&before).unwrap();
        let mut lease = under_way.lease(Kind::Reading);
        under_way.grow(&mut lease, 700).unwrap();
        let mut after = gate(500);
        after.take_over(&before);
        assert_eq!(enter(&after).unwrap_err().limit, Limit::InFlight);
        drop(under_way);
        assert!(enter(&after).is_ok());
    }
}
