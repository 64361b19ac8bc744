//! How large a batch should be, if the pipeline file leaves it to how fast the peer answers.
//!
//! Larger batches cost less on both sides, until the peer takes too long over one. So the size follows the time that
//! exports take: while the 95th percentile of a window of them stays well below the target, the next window's batches
//! are larger; as soon as it is above, they are smaller. Down goes faster than up, so that a peer that gets slow is
//! relieved at once; between the two nothing moves, so that it does not swing.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::meter::Meter;
use crate::config::spec::AdaptiveBatchSpec;

/// Exports that one decision looks at.
const WINDOW: usize = 20;
/// Where the 95th percentile is in a sorted window.
const P95: usize = WINDOW * 95 / 100 - 1;
/// Growth of the size, below this share of the target.
const UP: (f64, f64) = (1.25, 0.7);
/// The same above the target.
const DOWN: f64 = 0.6;

/// A lane's sizer, as what merges reads it and what delivers tells it.
#[derive(Debug)]
pub struct Sizing {
    size: AtomicUsize,
    sizer: Mutex<Sizer>,
    meter: Arc<Meter>,
}

impl Sizing {
    /// A lane's.
    pub fn new(spec: &AdaptiveBatchSpec, meter: Arc<Meter>) -> Sizing {
        let sizer = Sizer::new(spec);
        let size = sizer.size().get();
        meter.sized(size);
        Sizing { size: AtomicUsize::new(size), sizer: Mutex::new(sizer), meter }
    }

    /// Records at which a batch is sent.
    pub fn records(&self) -> u64 {
        self.size.load(Ordering::Relaxed) as u64
    }

    /// An export of so many records took so long.
    pub fn observe(&self, took: Duration, records: u64) {
        let mut sizer = self.sizer.lock();
        if sizer.observe(took, records) {
            let size = sizer.size().get();
            self.size.store(size, Ordering::Relaxed);
            self.meter.sized(size);
        }
    }
}

/// The size of the batches of one lane, in records.
#[derive(Debug)]
pub struct Sizer {
    target: Duration,
    records: (usize, usize),
    size: usize,
    times: Vec<Duration>,
}

impl Sizer {
    /// Begins at the smallest size: the first windows show what the peer bears.
    pub fn new(spec: &AdaptiveBatchSpec) -> Self {
        let records = (spec.min_records.get(), spec.max_records.get().max(spec.min_records.get()));
        Sizer { target: spec.target, records, size: records.0, times: Vec::with_capacity(WINDOW) }
    }

    /// Records at which a batch is sent.
    pub fn size(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.size).unwrap_or(NonZeroUsize::MIN)
    }

    /// An export of `records` took so long; what it held says whether a larger size would have made it larger. Says
    /// whether the size changed.
    pub fn observe(&mut self, took: Duration, records: u64) -> bool {
        // A batch that was sent because its time was up says nothing about larger ones; if it was slow, it does.
        if took <= self.target && records < self.size as u64 {
            return false;
        }
        self.times.push(took);
        if self.times.len() < WINDOW {
            return false;
        }
        self.times.sort_unstable();
        let p95 = self.times.get(P95).copied().unwrap_or_default();
        self.times.clear();
        let before = self.size;
        self.size = self.next(p95);
        self.size != before
    }

    fn next(&self, p95: Duration) -> usize {
        let (least, most) = self.records;
        let grown = |factor: f64| ((self.size as f64 * factor).round() as usize).clamp(least, most);
        let (up, below) = UP;
        match () {
            () if p95 > self.target => grown(DOWN),
            () if p95 < self.target.mul_f64(below) => grown(up),
            () => self.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizer() -> Sizer {
        let count = |n| NonZeroUsize::new(n).unwrap();
        let target = Duration::from_millis(100);
        Sizer::new(&AdaptiveBatchSpec { target, min_records: count(100), max_records: count(10_000) })
    }

    /// Exports whose time grows with their size, for so many windows; the size that it came to.
    fn settled(sizer: &mut Sizer, micros_a_record: u64, windows: usize) -> usize {
        for _ in 0..windows * WINDOW {
            let size = sizer.size().get() as u64;
            sizer.observe(Duration::from_micros(size * micros_a_record), size);
        }
        sizer.size().get()
    }

    #[test]
    fn it_finds_the_size_that_takes_the_target() {
        let mut sizer = sizer();
        let size = settled(&mut sizer, 50, 50);
        assert!((1000..=2000).contains(&size), "70 % to 100 % of 100 ms at 50 µs a record, but {size}");
        let settled_again = settled(&mut sizer, 50, 10);
        assert_eq!(size, settled_again, "it stays there");
    }

    #[test]
    fn it_stays_between_its_limits() {
        let mut sizer = sizer();
        assert_eq!(settled(&mut sizer, 0, 100), 10_000);
        assert_eq!(settled(&mut sizer, 100_000, 100), 100);
    }

    #[test]
    fn a_peer_that_gets_slow_is_relieved_faster_than_it_was_loaded() {
        let mut sizer = sizer();
        let fast = settled(&mut sizer, 10, 100);
        let slow = settled(&mut sizer, 200, 9);
        assert!(slow <= 500, "from {fast} to {slow} in nine windows");
    }

    #[test]
    fn small_batches_of_quiet_times_do_not_let_it_grow() {
        let mut sizer = sizer();
        for _ in 0..10 * WINDOW {
            assert!(!sizer.observe(Duration::from_millis(1), 3));
        }
        assert_eq!(sizer.size().get(), 100);
    }
}
