//! Stops calling a plugin that only faults, and tries again later, later each time.

use std::time::Duration;

use tokio::time::Instant;

/// Faults in a row that open the breaker. Those of a search count only if the plugin answered for nothing in it.
pub const FAULTS_IN_A_ROW: u32 = 12;
/// How long it is open the first time.
pub const OPEN_MIN: Duration = Duration::from_millis(100);
/// How long it is open at most.
pub const OPEN_MAX: Duration = Duration::from_secs(30);

/// A circuit breaker: closed (calls go through), open (none do), half-open (one does, and decides).
#[derive(Debug, Default)]
pub(super) struct Breaker {
    faults: u32,
    /// Set while it is open or half-open.
    opened: Option<Opened>,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    until: Instant,
    wait: Duration,
}

impl Breaker {
    /// Whether a call may be made now; if not, how long to wait.
    pub fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.opened {
            Some(Opened { until, .. }) if now < until => Err(until.duration_since(now)),
            _ => Ok(()),
        }
    }

    /// Whether calls go through without further thought.
    pub fn is_closed(&self) -> bool {
        self.opened.is_none()
    }

    /// A call was answered.
    pub fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// A call faulted.
    pub fn faulted(&mut self, now: Instant) {
        self.faults = self.faults.saturating_add(1);
        let wait = match self.opened {
            Some(Opened { wait, .. }) => wait.saturating_mul(2).min(OPEN_MAX),
            None if self.faults >= FAULTS_IN_A_ROW => OPEN_MIN,
            None => return,
        };
        self.opened = Some(Opened { until: now + wait, wait });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAULTS_IN_A_ROW {
            assert_eq!(breaker.check(now), Ok(()));
            breaker.faulted(now);
        }
        breaker
    }

    #[test]
    fn opens_longer_each_time_up_to_a_limit() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = breaker.check(now).unwrap_err();
            waits.push(wait);
            now += wait;
            assert_eq!(breaker.check(now), Ok(()));
            breaker.faulted(now);
        }
        assert_eq!(waits[..3], [OPEN_MIN, OPEN_MIN * 2, OPEN_MIN * 4]);
        assert_eq!(waits[11], OPEN_MAX);
    }

    #[test]
    fn one_answer_closes_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.succeeded();
        assert_eq!(breaker.check(now), Ok(()));
        breaker.faulted(now);
        assert_eq!(breaker.check(now), Ok(()));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_again() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAULTS_IN_A_ROW {
                breaker.faulted(now);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.check(now), Ok(()));
    }
}
