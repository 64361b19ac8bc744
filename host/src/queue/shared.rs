//! The one thing that a queue's threads and its users all hold.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::files::Files;
use super::meter::Meter;
use super::options::Options;
use super::quarantine::Quarantine;
use super::state::{Phase, State};

/// See the module.
#[derive(Debug)]
pub struct Shared {
    /// Where the queue is.
    pub dir: PathBuf,
    /// What is below it.
    pub files: Arc<dyn Files>,
    /// What it counts.
    pub meter: Arc<Meter>,
    /// Where damaged bytes go.
    pub quarantine: Quarantine,
    /// All that changes.
    pub state: Mutex<State>,
    /// For the writer: something is to be written.
    pub to_write: Condvar,
    /// For the reader: something is to be read.
    pub to_read: Condvar,
    /// For the keeper: something was marked.
    pub to_keep: Condvar,
    /// For those who wait for an entry or for the end.
    pub changed: Notify,
}

impl Shared {
    /// How it behaves, at the moment.
    pub fn options(&self) -> Options {
        self.state.lock().options
    }

    /// Goes on to a later phase, and tells everybody.
    pub fn go_on(&self, phase: Phase) {
        let mut state = self.state.lock();
        if state.phase < phase {
            state.phase = phase;
        }
        drop(state);
        self.to_write.notify_all();
        self.to_read.notify_all();
        self.to_keep.notify_all();
        self.changed.notify_waiters();
    }

    /// A thread of the queue has ended. With the last one the directory is free.
    pub fn thread_ended(&self) {
        let mut state = self.state.lock();
        state.threads -= 1;
        let lock = if state.threads == 0 { state.lock.take() } else { None };
        drop(state);
        // The keeper ends last: it has waited for the others.
        self.to_keep.notify_all();
        if lock.is_some() {
            drop(lock);
            self.go_on(Phase::Ended);
        }
    }
}

/// Says that a thread has ended, however it does.
#[derive(Debug)]
pub struct Thread(pub Arc<Shared>);

impl Drop for Thread {
    fn drop(&mut self) {
        // A thread that ended by a panic leaves a queue that must not look alive.
        self.0.go_on(Phase::Ending);
        self.0.thread_ended();
    }
}
