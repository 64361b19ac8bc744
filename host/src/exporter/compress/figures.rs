//! What was measured of one candidate, with what is older counting less.

use std::time::Duration;

/// What is left of older samples with each newer one: after three, half.
const KEPT: f64 = 0.8;
/// A sample that says more than so many times the cost so far counts as so much: the thread had lost its core.
const OUTLIER: f64 = 3.0;
/// Bytes of the unit that costs are said in.
pub const MEBIBYTE: f64 = 1_048_576.0;

/// One excerpt, compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Bytes before.
    pub input: usize,
    /// Bytes after.
    pub output: usize,
    /// What it took.
    pub took: Duration,
}

/// Sums over samples, so that a small excerpt weighs little beside a large one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    input: f64,
    output: f64,
    seconds: f64,
}

impl Figures {
    /// Those of one sample.
    pub fn of(sample: Sample) -> Self {
        let (input, output) = (sample.input.max(1) as f64, sample.output as f64);
        Figures { input, output, seconds: sample.took.as_secs_f64() }
    }

    /// Those before, and a sample more.
    pub fn and(self, sample: Sample) -> Self {
        let new = Figures::of(sample);
        let most = OUTLIER * self.seconds / self.input * new.input;
        let seconds = if most > 0.0 { new.seconds.min(most) } else { new.seconds };
        Figures {
            input: self.input * KEPT + new.input,
            output: self.output * KEPT + new.output,
            seconds: self.seconds * KEPT + seconds,
        }
    }

    /// Bytes after for each byte before.
    pub fn ratio(&self) -> f64 {
        self.output / self.input
    }

    /// Seconds of CPU for a MiB before.
    pub fn cost(&self) -> f64 {
        self.seconds / self.input * MEBIBYTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(input: usize, output: usize, micros: u64) -> Sample {
        Sample { input, output, took: Duration::from_micros(micros) }
    }

    #[test]
    fn newer_samples_count_more_and_older_ones_fade() {
        let mut figures = Figures::of(sample(1000, 100, 10));
        assert_eq!(figures.ratio(), 0.1);
        for _ in 0..3 {
            figures = figures.and(sample(1000, 500, 10));
        }
        assert!((0.35..0.45).contains(&figures.ratio()), "{figures:?}");
        for _ in 0..30 {
            figures = figures.and(sample(1000, 500, 10));
        }
        assert!((0.499..0.501).contains(&figures.ratio()), "{figures:?}");
    }

    #[test]
    fn a_small_excerpt_weighs_little() {
        let figures = Figures::of(sample(100_000, 10_000, 100)).and(sample(100, 100, 1));
        assert!(figures.ratio() < 0.102, "{figures:?}");
    }

    #[test]
    fn a_thread_that_lost_its_core_for_once_changes_little_and_a_lasting_change_counts() {
        let mut figures = Figures::of(sample(100_000, 10_000, 100));
        for _ in 0..10 {
            figures = figures.and(sample(100_000, 10_000, 100));
        }
        let before = figures.cost();
        figures = figures.and(sample(100_000, 10_000, 50_000));
        assert!(figures.cost() < 1.6 * before, "{} of {before}", figures.cost());
        for _ in 0..30 {
            figures = figures.and(sample(100_000, 10_000, 1000));
        }
        assert!(figures.cost() > 9.0 * before, "{} of {before}", figures.cost());
    }
}
