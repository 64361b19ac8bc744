//! The thread that keeps house: writes the cursor as soon as something is marked as done, removes segments of which
//! everything is, drops what is too old.
//!
//! No entry is handed out to whoever marked another one before the cursor has that mark: so what a killed process
//! delivers again after its restart was out for delivery when it was killed, and no more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cursor::Cursor;
use super::meter::Act;
use super::segment;
use super::shared::{Shared, Thread};
use super::state::{Phase, State, now_ms};

/// How often the age of the oldest entry is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often the cursor is brought to the disk. After a power loss, what was delivered since may be delivered again.
const CURSOR_SYNC: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    cursor: Cursor,
    synced: Instant,
}

impl Keeper {
    /// The keeper of a queue.
    pub fn new(shared: Arc<Shared>, cursor: Cursor) -> Self {
        Keeper { shared, cursor, synced: Instant::now() }
    }

    /// Keeps house until all other threads of the queue have ended.
    pub fn run(mut self) {
        let _thread = Thread(self.shared.clone());
        loop {
            let last = self.wait();
            self.expire();
            self.mark();
            self.remove();
            if last || self.synced.elapsed() >= CURSOR_SYNC {
                self.synced = Instant::now();
                let synced = self.cursor.sync();
                self.check(Act::Cursor, "bring the cursor to the disk", synced);
            }
            if last {
                return;
            }
        }
    }

    /// Waits for a mark or the next tick; whether this is the last round.
    fn wait(&self) -> bool {
        let mut state = self.shared.state.lock();
        let due = |state: &State| state.marks > state.marks_written || state.phase >= Phase::Ending;
        if !due(&state) {
            self.shared.to_keep.wait_for(&mut state, TICK);
        }
        while state.phase >= Phase::Ending && state.threads > 1 {
            self.shared.to_keep.wait(&mut state);
        }
        state.phase >= Phase::Ending
    }

    fn mark(&mut self) {
        let state = self.shared.state.lock();
        let (marks, written) = (state.marks, state.marks_written);
        if marks == written {
            return;
        }
        let done = state.done.clone();
        drop(state);
        let result = self.cursor.write(&done);
        self.check(Act::Cursor, "write the cursor", result);
        // If it could not be written, deliveries go on all the same: the worst is that they are repeated.
        self.shared.state.lock().marks_written = marks;
        self.shared.changed.notify_waiters();
    }

    fn remove(&self) {
        let finished = self.shared.state.lock().finished();
        for gone in finished {
            let path = segment::path(&self.shared.dir, gone.header.id);
            let removed = if gone.unreadable {
                self.shared.quarantine.set_aside(&path).map(|_| ())
            } else {
                self.shared.files.remove(&path)
            };
            let is_gone = removed.as_ref().map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true);
            if is_gone {
                self.shared.state.lock().forget_segment(gone.header.id, &self.shared.meter);
            } else {
                self.check(Act::Remove, "remove a delivered segment", removed);
            }
        }
        let state = self.shared.state.lock();
        state.show(&self.shared.meter);
        let age = state.oldest_ms().map_or(0, |oldest| now_ms().saturating_sub(oldest));
        drop(state);
        self.shared.meter.oldest(Duration::from_millis(age));
    }

    fn expire(&self) {
        let Some(max_age) = self.shared.options().max_age else { return };
        let limit = now_ms().saturating_sub(u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX));
        let mut state = self.shared.state.lock();
        state.expire_ready(limit, &self.shared.meter);
        state.expire_segments(limit, &self.shared.meter);
        let reads_on = state.wants_reading();
        drop(state);
        if reads_on {
            self.shared.to_read.notify_one();
        }
    }

    fn check(&self, act: Act, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.shared.meter.failed(act);
            let (exporter, dir) = (self.shared.meter.exporter(), self.shared.dir.display());
            tracing::error!(exporter, "cannot {what} in the queue `{dir}`: {error}");
        }
    }
}
