//! What a slot remembers of a search for poison records, and how much of its time searches may take.
//!
//! A search calls the plugin again and again, mostly in vain. Whoever can send a poison record could send one in every
//! batch, so searches have a share of the time: a bucket that fills at [`SHARE`] of the clock.

use std::time::Duration;

use tokio::time::Instant;

/// The part of the time, as one in so many, that searches may take in the long run.
const SHARE: u32 = 5;

/// A search that goes on.
#[derive(Debug)]
pub(super) struct Search {
    started: Instant,
    answers: u32,
    faults: u32,
}

impl Search {
    pub fn new(now: Instant) -> Search {
        Search { started: now, answers: 0, faults: 0 }
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn answered(&mut self) {
        self.answers += 1;
    }

    pub fn faulted(&mut self) {
        self.faults += 1;
    }

    /// The last answer was none.
    pub fn condemned(&mut self) {
        self.answers = self.answers.saturating_sub(1);
        self.faults += 1;
    }

    pub fn has_answers(&self) -> bool {
        self.answers > 0
    }

    pub fn faults(&self) -> u32 {
        self.faults
    }
}

/// A bucket of time.
#[derive(Debug)]
pub(super) struct Allowance {
    capacity: Duration,
    left: Duration,
    counted: Instant,
}

impl Allowance {
    /// A full bucket: the time of one search.
    pub fn new(capacity: Duration, now: Instant) -> Allowance {
        Allowance { capacity, left: capacity, counted: now }
    }

    /// What is in it.
    pub fn left(&mut self, now: Instant) -> Duration {
        let grown = now.duration_since(self.counted) / SHARE;
        self.left = (self.left + grown).min(self.capacity);
        self.counted = now;
        self.left
    }

    /// Takes time that has passed.
    pub fn spend(&mut self, time: Duration, now: Instant) {
        self.left = self.left(now).saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_take_a_share_of_the_time() {
        let mut now = Instant::now();
        let second = Duration::from_secs(1);
        let mut allowance = Allowance::new(2 * second, now);
        allowance.spend(2 * second, now);
        assert_eq!(allowance.left(now), Duration::ZERO);
        now += 5 * second;
        assert_eq!(allowance.left(now), second);
        now += 500 * second;
        assert_eq!(allowance.left(now), 2 * second, "what was not used is not saved up");
    }

    #[test]
    fn an_answer_that_was_condemned_is_a_fault() {
        let mut search = Search::new(Instant::now());
        search.answered();
        search.condemned();
        assert!(!search.has_answers() && search.faults() == 1);
    }
}
