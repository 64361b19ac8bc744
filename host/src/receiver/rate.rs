//! Rates of clients: each has a bucket of requests and one of records.
//!
//! Buckets that have filled up again are forgotten, as they are no different from new ones. There are at most
//! [`CLIENTS_MAX`]; whoever comes when there are more shares one bucket with all others of that kind, so that an
//! attacker with many names finds less room, not more memory.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use http::HeaderMap;
use tokio::time::Instant;

use super::admission::TurnedAway;
use super::meter::Limit;
use super::records;
use crate::config::spec::{Rate, RateKey, RateLimitSpec};
use crate::data::Signal;

/// Clients that are known apart, for each listener.
const CLIENTS_MAX: usize = 16 << 10;

/// Time between two clearings of forgotten buckets, in milliseconds.
const CLEARED_EVERY_MS: u64 = 1000;

/// The bucket of clients that there is no room for.
const OTHERS: u64 = 0;

/// Buckets by client.
pub struct RateLimiter {
    spec: RateLimitSpec,
    hasher: RandomState,
    requests: Option<DefaultKeyedRateLimiter<u64>>,
    records: Option<DefaultKeyedRateLimiter<u64>>,
    clock: DefaultClock,
    started: Instant,
    cleared_ms: AtomicU64,
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// Buckets that are all full.
    pub fn new(spec: &RateLimitSpec) -> RateLimiter {
        let buckets =
            |rate: Rate| DefaultKeyedRateLimiter::dashmap(Quota::per_second(rate.per_second).allow_burst(rate.burst));
        RateLimiter {
            spec: spec.clone(),
            hasher: RandomState::new(),
            requests: spec.requests.map(buckets),
            records: spec.records.map(buckets),
            clock: DefaultClock::default(),
            started: Instant::now(),
            cleared_ms: AtomicU64::new(0),
        }
    }

    /// As configured.
    pub fn spec(&self) -> &RateLimitSpec {
        &self.spec
    }

    /// Who asks. A number instead of the name, so that a long one takes no more memory than a short one.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> u64 {
        let client = match &self.spec.by {
            RateKey::Peer => self.hasher.hash_one(network(peer)),
            RateKey::Header(name) => self.hasher.hash_one(headers.get(name.as_str()).map(|value| value.as_bytes())),
        };
        client.max(OTHERS + 1)
    }

    /// Takes a request out of the client's bucket.
    pub fn request(&self, client: u64) -> Result<(), TurnedAway> {
        let (Some(buckets), Some(rate)) = (&self.requests, self.spec.requests) else { return Ok(()) };
        self.take(buckets, client, NonZeroU32::MIN).map_err(|wait| TurnedAway {
            limit: Limit::RequestRate,
            reason: format!("more than {} requests a second from this client", rate.per_second),
            retry_after: wait,
        })
    }

    /// Takes the records of a request out of the client's bucket. A request with more than the bucket ever holds takes
    /// a full one.
    pub fn records(&self, client: u64, signal: Signal, request: &Bytes) -> Result<(), TurnedAway> {
        let (Some(buckets), Some(rate)) = (&self.records, self.spec.records) else { return Ok(()) };
        let count = u32::try_from(records::count(signal, request)).unwrap_or(u32::MAX);
        let Some(count) = NonZeroU32::new(count.min(rate.burst.get())) else { return Ok(()) };
        self.take(buckets, client, count).map_err(|wait| TurnedAway {
            limit: Limit::RecordRate,
            reason: format!("more than {} records a second from this client", rate.per_second),
            retry_after: wait,
        })
    }

    /// Takes so much, or says how long to wait for it.
    fn take(&self, buckets: &DefaultKeyedRateLimiter<u64>, client: u64, count: NonZeroU32) -> Result<(), Duration> {
        self.clear_now_and_then();
        let client = if buckets.len() < CLIENTS_MAX { client } else { OTHERS };
        match buckets.check_key_n(&client, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now())),
            // `count` is at most the burst.
            Err(_) => Err(Duration::from_secs(1)),
        }
    }

    fn clear_now_and_then(&self) {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let cleared_ms = self.cleared_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(cleared_ms) >= CLEARED_EVERY_MS;
        let exchanged = self.cleared_ms.compare_exchange(cleared_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && exchanged.is_ok() {
            self.requests.iter().chain(&self.records).for_each(DefaultKeyedRateLimiter::retain_recent);
        }
    }
}

/// The address that a client cannot change at will: one household or server has all of an IPv6 network of 64 bits.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::tests::spans;
    use super::*;

    fn rate(per_second: u32, burst: u32) -> Option<Rate> {
        Some(Rate { per_second: NonZeroU32::new(per_second)?, burst: NonZeroU32::new(burst)? })
    }

    fn limiter(requests: Option<Rate>, records: Option<Rate>, by: RateKey) -> RateLimiter {
        RateLimiter::new(&RateLimitSpec { requests, records, by })
    }

    #[tokio::test]
    async fn each_client_has_a_bucket_and_is_told_when_it_has_filled() {
        let limiter = limiter(rate(1, 3), None, RateKey::Peer);
        let client = |address: &str| limiter.client(address.parse().unwrap(), &HeaderMap::new());
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let begun = Instant::now();
        for _ in 0..3 {
            limiter.request(one).unwrap();
        }
        let turned_away = limiter.request(one).unwrap_err();
        assert_eq!(turned_away.limit, Limit::RequestRate);
        let wait = turned_away.retry_after;
        let second = Duration::from_secs(1);
        assert!(wait <= second && wait + begun.elapsed() >= second, "{wait:?}");
        limiter.request(other).unwrap();
    }

    #[tokio::test]
    async fn clients_are_told_apart_by_network_or_header() {
        let by_peer = limiter(rate(1, 1), None, RateKey::Peer);
        let client = |address: &str| by_peer.client(address.parse().unwrap(), &HeaderMap::new());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        let by_header = limiter(rate(1, 1), None, RateKey::Header("x-tenant".to_owned()));
        let tenant = |name: &'static str| {
            by_header.client(
                [1, 1, 1, 1].into(),
                &HeaderMap::from_iter([("x-tenant".parse().unwrap(), HeaderValue::from_static(name))]),
            )
        };
        assert_eq!(tenant("a"), tenant("a"));
        assert_ne!(tenant("a"), tenant("b"));
    }

    #[tokio::test]
    async fn records_count_one_by_one_and_a_large_request_takes_a_full_bucket() {
        let limiter = limiter(None, rate(1, 20), RateKey::Peer);
        let request = |count| Bytes::from(spans(count));
        limiter.records(1, Signal::Traces, &request(15)).unwrap();
        assert_eq!(limiter.records(1, Signal::Traces, &request(10)).unwrap_err().limit, Limit::RecordRate);
        limiter.records(2, Signal::Traces, &request(1000)).unwrap();
        let wait = limiter.records(2, Signal::Traces, &request(1000)).unwrap_err().retry_after;
        assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
    }

    #[tokio::test]
    async fn the_number_of_clients_is_bounded() {
        let limiter = limiter(rate(1, 1), None, RateKey::Peer);
        let refused = (0..2 * CLIENTS_MAX as u64).filter(|client| limiter.request(client + 1).is_err()).count();
        assert!(refused >= CLIENTS_MAX / 2, "{refused}");
        let known = limiter.requests.as_ref().unwrap().len();
        assert!(known <= CLIENTS_MAX + 1, "{known}");
    }
}
