//! When an endpoint is left alone: a circuit per endpoint, shared by all lanes of a destination.
//!
//! ```text
//!            failures in a row                    time is over
//!  closed ───────────────────────► open ◄──────┐ ─────────────► half-open: a few probes
//!    ▲                              (longer each time)  │  one fails │
//!    └─────────────────────────────────────────────────┴── one is answered
//! ```
//!
//! Only failures that may pass count: a peer that refuses for good is there. Results of attempts that began before the
//! circuit last changed say nothing about the endpoint now, and are left out. Time is given from outside, so that the
//! machine is tested without waiting; it is the monotonic clock's (F40).

use std::time::Duration;

use tokio::time::Instant;

use crate::config::spec::CircuitSpec;

/// What a circuit is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Attempts go through.
    Closed,
    /// A few attempts go through.
    HalfOpen,
    /// None does.
    Open,
}

impl Position {
    /// As in `/status` and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Position::Closed => "closed",
            Position::HalfOpen => "half-open",
            Position::Open => "open",
        }
    }

    /// As in the metrics.
    pub const fn number(self) -> i64 {
        match self {
            Position::Closed => 0,
            Position::HalfOpen => 1,
            Position::Open => 2,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { under_way: usize },
}

/// The leave to make one attempt; its result goes back to the circuit that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the circuit waits for the result"]
pub struct Leave {
    epoch: u64,
}

/// The state machine of one endpoint.
#[derive(Debug)]
pub struct Circuit {
    /// None: it never opens.
    spec: Option<CircuitSpec>,
    state: State,
    /// How long it was open the last time; zero while it is closed.
    open_for: Duration,
    /// Counts the changes of state.
    epoch: u64,
}

impl Circuit {
    /// A closed one. Without a spec it stays so.
    pub fn new(spec: Option<CircuitSpec>) -> Circuit {
        Circuit { spec, state: State::Closed { failures: 0 }, open_for: Duration::ZERO, epoch: 0 }
    }

    /// What it is like. An open one stays open until somebody enters, however late.
    pub fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { .. } => Position::Open,
            State::HalfOpen { .. } => Position::HalfOpen,
        }
    }

    /// Whether an attempt would be let through.
    pub fn lets_in(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => until <= now,
            State::HalfOpen { under_way } => under_way < self.probes(),
        }
    }

    /// When it can be probed; none if that depends on the probes that are under way, or nothing need be waited for.
    pub fn opens_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// Lets one attempt through, if it may.
    pub fn enter(&mut self, now: Instant) -> Option<Leave> {
        if !self.lets_in(now) {
            return None;
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { .. } => self.become_state(State::HalfOpen { under_way: 1 }),
            State::HalfOpen { under_way } => *under_way += 1,
        }
        Some(Leave { epoch: self.epoch })
    }

    /// Lets one attempt through in any case, without a word about its result: for a shutdown, which has no time.
    pub fn force(&self) -> Leave {
        Leave { epoch: u64::MAX }
    }

    /// The endpoint answered.
    pub fn answered(&mut self, leave: Leave) {
        if leave.epoch != self.epoch {
            return;
        }
        match &mut self.state {
            State::Closed { failures } => *failures = 0,
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                self.open_for = Duration::ZERO;
                self.become_state(State::Closed { failures: 0 });
            }
        }
    }

    /// The attempt failed in a way that may pass.
    pub fn failed(&mut self, leave: Leave, now: Instant) {
        let Some(spec) = self.spec.as_ref().filter(|_| leave.epoch == self.epoch) else { return };
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures >= spec.failures.get() {
                    self.open(spec.open_for, now);
                }
            }
            State::Open { .. } => {}
            State::HalfOpen { .. } => self.open((self.open_for * 2).min(spec.open_max), now),
        }
    }

    /// The attempt was given up before it had a result.
    pub fn given_up(&mut self, leave: Leave) {
        if let State::HalfOpen { under_way } = &mut self.state
            && leave.epoch == self.epoch
        {
            *under_way = under_way.saturating_sub(1);
        }
    }

    fn open(&mut self, open_for: Duration, now: Instant) {
        self.open_for = open_for;
        self.become_state(State::Open { until: now + open_for });
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    fn probes(&self) -> usize {
        self.spec.as_ref().map_or(1, |spec| spec.probes.get())
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroUsize};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn spec(probes: usize) -> Option<CircuitSpec> {
        Some(CircuitSpec {
            failures: NonZeroU32::new(3).unwrap(),
            open_for: 5 * SECOND,
            open_max: 30 * SECOND,
            probes: NonZeroUsize::new(probes).unwrap(),
        })
    }

    fn fail(circuit: &mut Circuit, now: Instant) {
        let leave = circuit.enter(now).unwrap();
        circuit.failed(leave, now);
    }

    #[test]
    fn f35_failures_in_a_row_open_it_and_an_answer_between_them_counts() {
        let (mut circuit, now) = (Circuit::new(spec(1)), Instant::now());
        fail(&mut circuit, now);
        fail(&mut circuit, now);
        let leave = circuit.enter(now).unwrap();
        circuit.answered(leave);
        fail(&mut circuit, now);
        fail(&mut circuit, now);
        assert_eq!(circuit.position(), Position::Closed);
        fail(&mut circuit, now);
        assert_eq!((circuit.position(), circuit.opens_at()), (Position::Open, Some(now + 5 * SECOND)));
        assert_eq!(circuit.enter(now + 4 * SECOND), None);
    }

    #[test]
    fn f35_probes_are_limited_and_one_answer_closes_it() {
        for probes in 1..4 {
            let (mut circuit, now) = (Circuit::new(spec(probes)), Instant::now());
            (0..3).for_each(|_| fail(&mut circuit, now));
            let later = now + 5 * SECOND;
            let leaves: Vec<_> = std::iter::from_fn(|| circuit.enter(later)).collect();
            assert_eq!((leaves.len(), circuit.position()), (probes, Position::HalfOpen));
            circuit.given_up(leaves[0]);
            let leave = circuit.enter(later).expect("a probe that was given up makes room");
            circuit.answered(leave);
            assert_eq!(circuit.position(), Position::Closed);
            leaves.into_iter().skip(1).for_each(|late| circuit.failed(late, later));
            (0..2).for_each(|_| fail(&mut circuit, later));
            assert_eq!(circuit.position(), Position::Closed, "late results of probes do not count");
        }
    }

    #[test]
    fn f35_it_is_open_longer_each_time_up_to_a_limit_and_starts_anew_after_an_answer() {
        let (mut circuit, mut now) = (Circuit::new(spec(1)), Instant::now());
        (0..3).for_each(|_| fail(&mut circuit, now));
        for seconds in [5, 10, 20, 30, 30] {
            assert_eq!(circuit.opens_at(), Some(now + seconds * SECOND));
            now += seconds * SECOND;
            fail(&mut circuit, now);
        }
        now += 30 * SECOND;
        let leave = circuit.enter(now).unwrap();
        circuit.answered(leave);
        (0..3).for_each(|_| fail(&mut circuit, now));
        assert_eq!(circuit.opens_at(), Some(now + 5 * SECOND));
    }

    #[test]
    fn attempts_from_before_it_opened_say_nothing() {
        let (mut circuit, now) = (Circuit::new(spec(1)), Instant::now());
        let early: Vec<_> = (0..6).map(|_| circuit.enter(now).unwrap()).collect();
        early.iter().take(3).for_each(|leave| circuit.failed(*leave, now));
        early.iter().skip(3).for_each(|leave| circuit.failed(*leave, now + 4 * SECOND));
        assert_eq!(circuit.opens_at(), Some(now + 5 * SECOND), "they do not prolong it");
        circuit.answered(early[0]);
        assert_eq!(circuit.position(), Position::Open);
    }

    #[test]
    fn without_a_spec_it_never_opens() {
        let (mut circuit, now) = (Circuit::new(None), Instant::now());
        (0..100).for_each(|_| fail(&mut circuit, now));
        assert_eq!(circuit.position(), Position::Closed);
    }

    #[test]
    fn f40_waits_know_no_clock_but_the_monotonic_one() {
        let texts = [
            include_str!("backoff.rs"),
            include_str!("batch.rs"),
            include_str!("lane.rs"),
            include_str!("names.rs"),
            include_str!("route.rs"),
        ];
        // std's `Instant` is refused by clippy.toml, so what is left is tokio's.
        assert!(texts.iter().all(|text| !text.contains("SystemTime") && !text.contains("UNIX_EPOCH")));
        let (mut circuit, now) = (Circuit::new(spec(1)), Instant::now());
        (0..3).for_each(|_| fail(&mut circuit, now));
        assert!(!circuit.lets_in(now + 5 * SECOND - Duration::from_nanos(1)));
        assert!(circuit.lets_in(now + 5 * SECOND));
    }
}
