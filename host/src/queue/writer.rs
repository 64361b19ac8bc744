//! The thread that writes: takes everything that waits, writes it with as few calls as possible, brings it to the
//! disk with one, and only then tells those who wait. With `sync: always` the first of a group waits for a window, so
//! that many share one sync; with an interval there is nothing to share but the write, and nobody waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::appender::{Appender, Change};
use super::error::AppendError;
use super::options::Sync;
use super::shared::{Shared, Thread};
use super::state::{Pending, Phase, Segment, State};

/// How long the first of a group waits for others to share its sync.
const WINDOW: Duration = Duration::from_millis(2);

/// So many bytes are written without waiting for more.
pub(super) const GROUP_BYTES: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    appender: Appender,
    sync_due: Option<Instant>,
}

impl Writer {
    /// The writer of a queue.
    pub fn new(shared: Arc<Shared>, appender: Appender) -> Self {
        Writer { shared, appender, sync_due: None }
    }

    /// Writes until the queue ends.
    pub fn run(mut self) {
        let _thread = Thread(self.shared.clone());
        while let Some(group) = self.gather() {
            self.commit(group);
            self.sync_if_due();
        }
        if let Err(error) = self.appender.seal() {
            self.tell(&error);
        }
        self.apply(|_| ());
    }

    /// Waits for something to write, or to sync: then the group is empty. None at the end.
    fn gather(&mut self) -> Option<Vec<Pending>> {
        let mut state = self.shared.state.lock();
        while state.pending.is_empty() {
            if state.phase >= Phase::Ending {
                return None;
            }
            state.writer_idle = true;
            match self.sync_due {
                None => self.shared.to_write.wait(&mut state),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() || self.shared.to_write.wait_for(&mut state, left).timed_out() {
                        state.writer_idle = false;
                        return Some(Vec::new());
                    }
                }
            }
        }
        state.writer_idle = false;
        let shares = state.options.sync == Sync::Always;
        if shares && state.pending_bytes < GROUP_BYTES && state.phase < Phase::Ending {
            self.shared.to_write.wait_for(&mut state, WINDOW);
        }
        state.pending_bytes = 0;
        Some(std::mem::take(&mut state.pending))
    }

    fn commit(&mut self, mut group: Vec<Pending>) {
        while !group.is_empty() {
            let began = Instant::now();
            let options = self.shared.options();
            let sync = options.sync == Sync::Always;
            let fit = self.appender.make_room(&group, options.segment_bytes());
            let count = *fit.as_ref().unwrap_or(&group.len());
            let rest = group.split_off(count.min(group.len()));
            let cost = group.iter().map(Pending::frame_bytes).sum();
            let result = fit.and_then(|_| self.appender.append(&group, sync));
            let result = result.map_err(|error| self.tell(&error));
            if result.is_ok() {
                self.shared.meter.committed(began.elapsed());
            }
            self.apply(|state| state.release(cost));
            for pending in group {
                // Whoever waited may be gone.
                let _ = pending.written.send(result.clone());
            }
            group = rest;
        }
        if let Sync::Interval(every) = self.shared.options().sync
            && self.appender.is_dirty()
            && self.sync_due.is_none()
        {
            self.sync_due = Some(Instant::now() + every);
        }
    }

    fn sync_if_due(&mut self) {
        if self.sync_due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        self.sync_due = None;
        if let Err(error) = self.appender.sync() {
            self.tell(&error);
        }
        self.apply(|_| ());
    }

    /// Says that writing fails.
    fn tell(&self, error: &std::io::Error) -> AppendError {
        let (exporter, dir) = (self.shared.meter.exporter(), self.shared.dir.display());
        tracing::error!(exporter, "cannot write to the queue `{dir}`: {error}; clients are told to come again");
        let why: Arc<str> = error.to_string().into();
        self.shared.state.lock().fail(&why);
        AppendError { why }
    }

    /// Shows everybody what was done.
    fn apply(&mut self, also: impl FnOnce(&mut State)) {
        let changes = self.appender.changes();
        let mut state = self.shared.state.lock();
        for change in changes {
            match change {
                Change::Begun(header) => {
                    state.segments.insert(header.id, Segment::begun(header));
                }
                Change::Appended(id, frames) => state.commit(id, frames, &self.shared.meter),
                Change::Sealed(id, size) => {
                    if let Some(segment) = state.segments.get_mut(&id) {
                        segment.sealed = true;
                        segment.file_bytes = size;
                    }
                }
                Change::Skipped(range) => state.pass(range),
            }
        }
        also(&mut state);
        state.show(&self.shared.meter);
        let behind = state.wants_reading();
        drop(state);
        self.shared.changed.notify_waiters();
        if behind {
            self.shared.to_read.notify_one();
        }
    }
}
