//! When to try again: exponential backoff with jitter, the peer's wishes respected, and an end to it (E7, E13).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::config::spec::RetrySpec;

/// Growth of the wait from one attempt to the next.
const GROWTH: f64 = 1.5;
/// A wait is drawn from this part of the interval below and above it, so that peers are not hit in step.
const JITTER: f64 = 0.5;
/// The longest wait that a peer may ask for: more is a mistake or malice (F31).
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// The waits between the attempts of one batch.
#[derive(Debug)]
pub struct Backoff {
    interval: Duration,
    interval_max: Duration,
    /// None: tried for ever.
    elapsed_max: Option<Duration>,
    enabled: bool,
    random: u64,
}

impl Backoff {
    /// The schedule of a batch whose first attempt begins now.
    pub fn new(spec: &RetrySpec) -> Self {
        Backoff {
            interval: spec.initial_interval,
            interval_max: spec.max_interval.max(spec.initial_interval),
            elapsed_max: Some(spec.max_elapsed_time).filter(|limit| !limit.is_zero()),
            enabled: spec.enabled,
            random: RandomState::new().build_hasher().finish() | 1,
        }
    }

    /// How long to wait after a failure that came `elapsed` after the first attempt began; none: it is time to
    /// give up. `after` is the least wait that the peer named, up to [`RETRY_AFTER_MAX`]. A wait is cut where the
    /// time ends: one early try costs the peer little, giving up without it loses the batch.
    pub fn wait(&mut self, elapsed: Duration, after: Option<Duration>) -> Option<Duration> {
        if !self.enabled {
            return None;
        }
        let left = match self.elapsed_max {
            Some(limit) => limit.checked_sub(elapsed).filter(|left| !left.is_zero())?,
            None => Duration::MAX,
        };
        let least = after.unwrap_or_default().min(RETRY_AFTER_MAX);
        // Where the peer's wish governs, there is only above it.
        let below = if least >= self.interval { 0.0 } else { JITTER };
        self.interval = self.interval.max(least);
        let factor = 1.0 - below + (JITTER + below) * self.draw();
        let wait = self.interval.mul_f64(factor).max(least);
        self.interval = self.interval.mul_f64(GROWTH).min(self.interval_max.max(least));
        Some(wait.min(left))
    }

    /// How long to wait when it was time to give up, but the queue keeps the batch: the longest wait, again and again.
    pub fn keep_on(&mut self, after: Option<Duration>) -> Duration {
        let least = after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let factor = 1.0 - JITTER + 2.0 * JITTER * self.draw();
        self.interval_max.mul_f64(factor).max(least)
    }

    /// A number from 0 to below 1 (xorshift64: spread is all that is asked of it).
    fn draw(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::spec::OnExhausted;

    fn spec(max_elapsed: u64) -> RetrySpec {
        RetrySpec {
            enabled: true,
            initial_interval: Duration::from_secs(4),
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(max_elapsed),
            on_exhausted: OnExhausted::Drop,
        }
    }

    #[test]
    fn e13_waits_grow_up_to_a_limit_and_differ() {
        let mut backoff = Backoff::new(&spec(0));
        let mut interval = 4.0f64;
        for _ in 0..20 {
            let wait = backoff.wait(Duration::ZERO, None).unwrap().as_secs_f64();
            assert!(wait >= interval * 0.5 && wait <= interval * 1.5, "{wait} around {interval}");
            interval = (interval * 1.5).min(30.0);
        }
        let first = |_| Backoff::new(&spec(0)).wait(Duration::ZERO, None);
        let all: std::collections::HashSet<_> = (0..20).map(first).collect();
        assert!(all.len() > 10);
    }

    #[test]
    fn e07_a_wait_is_no_shorter_than_the_peer_asks() {
        let mut backoff = Backoff::new(&spec(0));
        for _ in 0..20 {
            let wait = backoff.wait(Duration::ZERO, Some(Duration::from_secs(60))).unwrap();
            assert!(wait >= Duration::from_secs(60) && wait <= Duration::from_secs(90));
        }
        let wait = backoff.wait(Duration::ZERO, None).unwrap();
        assert!(wait >= Duration::from_secs(30), "it grows from there, but was {wait:?}");
    }

    #[test]
    fn f31_a_peer_cannot_stop_the_retries() {
        let mut backoff = Backoff::new(&spec(0));
        for after in [Duration::MAX, Duration::from_secs(1_000_000_000)] {
            assert!(backoff.wait(Duration::ZERO, Some(after)).unwrap() <= RETRY_AFTER_MAX.mul_f64(1.5));
        }
    }

    #[test]
    fn the_last_attempt_is_made_when_the_time_ends() {
        let mut backoff = Backoff::new(&spec(10));
        let wait = backoff.wait(Duration::from_secs(9), Some(Duration::from_secs(60)));
        assert_eq!(wait, Some(Duration::from_secs(1)));
        assert_eq!(backoff.wait(Duration::from_secs(10), None), None);
        assert_eq!(backoff.wait(Duration::from_secs(11), None), None);
    }

    #[test]
    fn what_is_kept_is_tried_at_the_longest_interval() {
        let mut backoff = Backoff::new(&spec(10));
        for _ in 0..20 {
            let wait = backoff.keep_on(None);
            assert!(wait >= Duration::from_secs(15) && wait <= Duration::from_secs(45), "{wait:?}");
            assert!(backoff.keep_on(Some(Duration::from_secs(60))) >= Duration::from_secs(60));
        }
    }

    #[test]
    fn retries_can_be_switched_off() {
        let mut backoff = Backoff::new(&RetrySpec { enabled: false, ..spec(0) });
        assert_eq!(backoff.wait(Duration::ZERO, Some(Duration::from_secs(1))), None);
    }
}
