//! Complaints in the log: many of a kind become one line now and then.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The time within which one line is written.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// Complaints of one kind.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    kept_back: u64,
}

impl Complaint {
    /// Whether to write a line `now`; then, for how many, this one included.
    pub fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        state.kept_back += 1;
        if state.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f18_one_line_now_and_then_tells_of_all() {
        let (complaint, start) = (Complaint::default(), Instant::now());
        assert_eq!(complaint.due(start), Some(1));
        for _ in 0..1000 {
            assert_eq!(complaint.due(start + PAUSE / 2), None);
        }
        assert_eq!(complaint.due(start + PAUSE), Some(1001));
        assert_eq!(complaint.due(start + PAUSE), None);
    }
}
