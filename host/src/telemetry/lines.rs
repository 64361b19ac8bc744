//! How many lines something may write into the log: a bucket that fills with time.

use parking_lot::Mutex;
use tokio::time::Instant;

/// An allowance of lines, shared by all that write them.
#[derive(Debug)]
pub struct Lines {
    per_second: f64,
    at_once: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: f64,
    counted: Instant,
    unsaid: u64,
}

impl Lines {
    /// So many lines a second, and so many at once after a silence.
    pub fn new(per_second: f64, at_once: f64) -> Lines {
        let state = State { left: at_once, counted: Instant::now(), unsaid: 0 };
        Lines { per_second, at_once, state: Mutex::new(state) }
    }

    /// Takes a line, if there is one; answers with the number of lines before it for which there was none.
    pub fn take(&self) -> Option<u64> {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let grown = now.duration_since(state.counted).as_secs_f64() * self.per_second;
        state.left = (state.left + grown).min(self.at_once);
        state.counted = now;
        if state.left < 1.0 {
            state.unsaid += 1;
            return None;
        }
        state.left -= 1.0;
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_cut_and_the_rate_comes_back() {
        let lines = Lines::new(50.0, 100.0);
        let mut now = Instant::now();
        let written = (0..1_000).filter(|_| lines.take_at(now).is_some()).count();
        assert_eq!(written, 100);
        now += Duration::from_secs(1);
        assert_eq!(lines.take_at(now), Some(900));
        assert_eq!((0..1_000).filter(|_| lines.take_at(now).is_some()).count(), 49);
    }
}
