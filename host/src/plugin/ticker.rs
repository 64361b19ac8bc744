//! The clock that calls are killed by: a thread that moves wasmtime's epoch while any call runs.
//!
//! It goes as real time does, but stands still where the whole process does: a container that has used up its share of
//! the CPU is held for tens of milliseconds, a machine that sleeps for hours, and no plugin is to blame for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;
#[expect(
    clippy::disallowed_types,
    reason = "a guest that spins must die in real time, also while a test pauses tokio's"
)]
use std::time::Instant;

use crate::supervise::survived_on_thread;

/// How often a running call is interrupted, to yield its thread and to be killed if its deadline has passed.
/// Each tick is a wake-up of the process while calls run, so not less; a call that outlives its deadline does so
/// by one tick, so not more.
pub const TICK: Duration = Duration::from_millis(2);

/// The most that the clock goes on at once. A thread that is woken later than that was not let run, and most likely the
/// calls were not either.
const LEAP_MAX: Duration = Duration::from_millis(10);

/// Ticks without a call after which the thread rests, so that an idle process is not woken.
const QUIET_TICKS: u32 = 50;

/// The ticks of one engine, as its calls see them.
#[derive(Debug)]
pub struct Ticks {
    #[expect(clippy::disallowed_types, reason = "see above")]
    start: Instant,
    /// What the clock shows, in nanoseconds.
    clock: AtomicU64,
    /// When it went on last, in nanoseconds since the start.
    moved: AtomicU64,
    running: AtomicUsize,
    resting: AtomicBool,
    stopped: AtomicBool,
}

impl Ticks {
    /// What the clock shows when a call that begins now has had its time.
    pub fn deadline(&self, time: Duration) -> u64 {
        // What the next tick adds for the time before the call. Read before the clock, so that a tick in between makes
        // the deadline later, not earlier.
        let before = if self.resting.load(Ordering::SeqCst) { 0 } else { self.since_moved(self.now()) };
        self.clock.load(Ordering::Acquire).saturating_add(before).saturating_add(nanos(time))
    }

    /// Whether a deadline has passed, by the last tick.
    pub fn passed(&self, deadline: u64) -> bool {
        self.clock.load(Ordering::Relaxed) >= deadline
    }

    fn advance(&self) {
        self.advance_to(self.now());
    }

    fn advance_to(&self, now: u64) {
        let more = self.since_moved(now);
        self.clock.fetch_add(more, Ordering::Release);
        self.moved.store(now, Ordering::Release);
    }

    /// Goes on from here: what was before is nobody's time.
    fn resume(&self) {
        self.moved.store(self.now(), Ordering::Release);
    }

    fn since_moved(&self, now: u64) -> u64 {
        now.saturating_sub(self.moved.load(Ordering::Acquire)).min(nanos(LEAP_MAX))
    }

    fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Keeps the ticker awake: held during a call.
#[derive(Debug)]
pub struct Running(Arc<Ticks>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How a store reaches its engine's ticker.
#[derive(Clone, Debug)]
pub struct TickerHandle {
    ticks: Arc<Ticks>,
    thread: Thread,
}

impl TickerHandle {
    /// Keeps the ticker awake until the answer is dropped.
    pub fn keep_awake(&self) -> Running {
        // The thread first says that it rests and then looks for calls; a call first counts itself and then looks
        // whether the thread rests. So one of the two sees the other.
        self.ticks.running.fetch_add(1, Ordering::SeqCst);
        if self.ticks.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.ticks))
    }

    /// The ticks.
    pub fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }
}

/// Owns the thread; ends it when dropped.
#[derive(Debug)]
pub struct Ticker {
    handle: TickerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread, which calls `tick` at every tick that some call lives to see.
    #[expect(clippy::disallowed_types, reason = "see above")]
    pub fn start(tick: impl Fn() + Send + 'static) -> std::io::Result<Ticker> {
        let ticks = Arc::new(Ticks {
            start: Instant::now(),
            clock: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            resting: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&ticks);
        let thread = thread::Builder::new()
            .name("plugin-ticker".to_owned())
            .spawn(move || survived_on_thread("plugin ticker", || run(&shared, &tick)))?;
        let handle = TickerHandle { ticks, thread: thread.thread().clone() };
        Ok(Ticker { handle, thread: Some(thread) })
    }

    /// What stores hold.
    pub fn handle(&self) -> &TickerHandle {
        &self.handle
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.handle.ticks.stopped.store(true, Ordering::SeqCst);
        self.handle.thread.unpark();
        if let Some(thread) = self.thread.take() {
            // It only sleeps and ticks: there is no panic to hear of, and at most one tick to wait.
            let _ = thread.join();
        }
    }
}

fn run(ticks: &Ticks, tick: &impl Fn()) {
    let mut quiet = 0;
    while !ticks.stopped.load(Ordering::SeqCst) {
        if ticks.running.load(Ordering::SeqCst) > 0 {
            quiet = 0;
        } else {
            quiet += 1;
        }
        if quiet > QUIET_TICKS {
            rest(ticks);
            ticks.resume();
            quiet = 0;
        } else {
            thread::park_timeout(TICK);
        }
        ticks.advance();
        tick();
    }
}

fn rest(ticks: &Ticks) {
    ticks.resting.store(true, Ordering::SeqCst);
    while ticks.running.load(Ordering::SeqCst) == 0 && !ticks.stopped.load(Ordering::SeqCst) {
        thread::park();
    }
    ticks.resting.store(false, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until(what: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if what() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("waited in vain");
    }

    #[test]
    fn rests_without_calls_and_wakes_for_one() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let ticker = Ticker::start(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        let handle = ticker.handle().clone();
        wait_until(|| handle.ticks.resting.load(Ordering::SeqCst));
        let before = count.load(Ordering::SeqCst);
        let running = handle.keep_awake();
        wait_until(|| count.load(Ordering::SeqCst) > before + 3);
        drop(running);
        wait_until(|| handle.ticks.resting.load(Ordering::SeqCst));
    }

    #[test]
    fn a_deadline_passes_in_real_time_even_after_a_rest() {
        let ticker = Ticker::start(|| ()).unwrap();
        let handle = ticker.handle();
        wait_until(|| handle.ticks.resting.load(Ordering::SeqCst));
        thread::sleep(TICK * 20);
        let _running = handle.keep_awake();
        let deadline = handle.ticks.deadline(TICK * 10);
        assert!(!handle.ticks.passed(deadline));
        wait_until(|| handle.ticks.passed(deadline));
    }

    #[test]
    fn time_in_which_the_process_stands_still_is_not_that_of_a_call() {
        let ticker = Ticker::start(|| ()).unwrap();
        let ticks = Arc::clone(ticker.handle().ticks());
        // From here on the test moves the clock.
        drop(ticker);
        let (begin, deadline) = (ticks.now(), ticks.deadline(LEAP_MAX * 3));
        ticks.advance_to(begin + nanos(Duration::from_secs(3600)));
        ticks.advance_to(begin + nanos(Duration::from_secs(7200)));
        assert!(!ticks.passed(deadline));
        let woken = begin + nanos(Duration::from_secs(7200));
        (1..=20).for_each(|tick| ticks.advance_to(woken + tick * nanos(TICK)));
        assert!(ticks.passed(deadline), "it goes on as time does");
    }

    #[test]
    fn the_thread_ends_with_its_owner() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let ticker = Ticker::start(move || drop(Arc::clone(&held))).unwrap();
        drop(ticker);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
