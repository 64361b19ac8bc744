//! The durable queue: entries that were taken stay until they are delivered, whatever happens to the process.
//!
//! ```text
//!  reserve ─► append ─► writer ─► segment files ─► reader ─► ready ─► next ─► delivered ─► keeper ─► cursor
//!                         │ one sync for many                  ▲        │
//!                         └────────── what was just written ───┘        └─ dropped: handed out again
//! ```
//!
//! # What is promised
//! Of an entry whose [`Written`] said `Ok`:
//!
//! | | `sync: always` | `sync: {interval: 1s}` |
//! |---|---|---|
//! | the process is killed | kept | kept |
//! | power is lost, the system crashes | kept | kept, unless it came in the last interval |
//! | the disk fails to write (EIO) | refused instead | what came in the last interval may be lost |
//!
//! An entry is delivered at least once. After a kill, what was out for delivery is delivered again, nothing more;
//! after a power loss also what was delivered in the seconds before it. An entry that was refused may be delivered
//! all the same, if the disk kept it; whoever sent it comes again anyway.
//!
//! # Why an own format
//! Embedded stores were measured on this load, entries of 64 KiB and 1 MiB with one sync each and one per 16. fjall
//! is as fast while it only journals, but what is delivered has to be given back soon, and it keeps that space long;
//! redb is three to seven times slower, and takes two to three times the space. Both are trees for random access,
//! and none says what it does after a failed sync, or skips one damaged entry and goes on. A queue only appends, reads
//! in order, and forgets whole files, for which a log of segments is enough.
//!
//! # Files
//! `lock` (one process), `cursor` ([`cursor`]), `*.segment` ([`segment`], [`frame`]), `*.damaged` ([`quarantine`]).

pub mod appender;
pub mod cursor;
pub mod done;
pub mod error;
pub mod files;
pub mod frame;
pub mod keeper;
pub mod meter;
pub mod options;
pub mod place;
pub mod quarantine;
pub mod reader;
pub mod recover;
pub mod segment;
pub mod shared;
pub mod state;
pub mod stored;
pub mod tally;
pub mod view;
pub mod walk;
pub mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use appender::Appender;
use cursor::Cursor;
use files::{Disk, Files, Lock};
use keeper::Keeper;
use quarantine::Quarantine;
use reader::Reader;
use recover::{Recovered, Recovery};
use shared::Shared;
use state::{Next, Phase, State};
use writer::Writer;

pub use error::{AppendError, Full, OpenError};
pub use meter::Meter;
pub use options::{Options, Sync};
pub use place::{Place, Written};
pub use stored::{Stored, Ticket};
pub use tally::{Tallies, Tally};

/// A queue on a disk. Clones are the same queue; the last one that goes, entries that are out included, ends it.
#[derive(Clone, Debug)]
pub struct Queue {
    handle: Arc<Handle>,
}

/// Ends the queue's threads when nobody is left.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.go_on(Phase::Ending);
    }
}

impl Queue {
    /// Opens the queue in a directory, or makes one: the directory's parent must be there. Reads and repairs what it
    /// finds, so call it where waiting for the disk does not matter.
    ///
    /// # Errors
    /// What is wrong with the directory, and the mend.
    pub fn open(dir: &Path, options: &Options, meter: Meter) -> Result<Queue, OpenError> {
        Queue::open_on(Arc::new(Disk), dir, options, meter)
    }

    /// The same, on other files than those of the system.
    ///
    /// # Errors
    /// What is wrong with the directory, and the mend.
    pub fn open_on(files: Arc<dyn Files>, dir: &Path, options: &Options, meter: Meter) -> Result<Queue, OpenError> {
        let meter = Arc::new(meter);
        let failed = |act| move |source| OpenError::Io { act, dir: dir.to_owned(), source };
        let lock = take(&*files, dir)?;
        let names = files.list(dir).map_err(failed("read"))?;
        let quarantine = Quarantine::new(files.clone(), dir, &names);
        let recovery = Recovery { dir, files: &*files, meter: &meter, quarantine: &quarantine };
        let Recovered { segments, done, marked, next_id, next_sequence } = recovery.run(&names)?;
        let cursor = keep(&*files, dir, &marked, &done).map_err(failed("write the cursor"))?;
        let state = State::new(*options, segments, done, lock);
        let dir = dir.to_owned();
        let appender = Appender::new(files.clone(), dir.clone(), meter.clone(), (next_id, next_sequence));
        let shared = Arc::new(Shared {
            dir: dir.clone(),
            files,
            meter,
            quarantine,
            state: Mutex::new(state),
            to_write: Condvar::new(),
            to_read: Condvar::new(),
            to_keep: Condvar::new(),
            changed: Notify::new(),
        });
        start(&shared, appender, cursor).map_err(|source| OpenError::Io { act: "start a thread", dir, source })?;
        shared.state.lock().show(&shared.meter);
        Ok(Queue { handle: Arc::new(Handle { shared }) })
    }

    /// Holds room for a payload of `bytes`.
    ///
    /// # Errors
    /// Why nothing is taken now. It may be asked for again.
    pub fn reserve(&self, bytes: usize) -> Result<Place, Full> {
        let shared = &self.handle.shared;
        let cost = shared.state.lock().reserve(bytes)?;
        Ok(Place::new(shared.clone(), cost))
    }

    /// The oldest entry that is neither delivered nor out; waits for one. None when the queue is closed. May be
    /// called by many at a time, and be dropped while it waits.
    pub async fn next(&self) -> Option<Stored> {
        let shared = &self.handle.shared;
        let marks = shared.state.lock().marks;
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            let (next, reads) = {
                let mut state = shared.state.lock();
                (state.next(marks), state.wants_reading())
            };
            if reads {
                shared.to_read.notify_one();
            }
            match next {
                Next::Entry(ready) => return Some(Stored::new(self.handle.clone(), *ready)),
                Next::Closed => return None,
                Next::Wait => changed.await,
            }
        }
    }

    /// Behaves otherwise from now on. What is beyond a smaller `max_bytes` stays; nothing is taken until it fits.
    pub fn reconfigure(&self, options: &Options) {
        self.handle.shared.state.lock().options = *options;
    }

    /// From now on nothing is taken or handed out. What is out can still be marked as delivered.
    pub fn close(&self) {
        self.handle.shared.go_on(Phase::Closed);
    }

    /// Closes the queue and waits until everything is written down and the directory is free. What comes back or is
    /// marked as delivered after this call may be missed: it is delivered again by the next process.
    pub async fn finish(&self) {
        let shared = &self.handle.shared;
        shared.go_on(Phase::Ending);
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            if shared.state.lock().phase == Phase::Ended {
                return;
            }
            changed.await;
        }
    }

    /// All that is not delivered, what is out included.
    pub fn held(&self) -> Tally {
        self.held_by_signal().total()
    }

    /// The same, signal by signal.
    pub fn held_by_signal(&self) -> Tallies {
        self.handle.shared.state.lock().held
    }

    /// Whether nothing waits to be handed out.
    pub fn is_idle(&self) -> bool {
        self.handle.shared.state.lock().is_idle()
    }

    /// Bytes that the queue takes on the disk.
    pub fn disk_bytes(&self) -> u64 {
        self.handle.shared.state.lock().disk_bytes()
    }

    /// Whether its threads run. If not while nobody has ended it, the process is not healthy.
    pub fn is_running(&self) -> bool {
        self.handle.shared.state.lock().phase < Phase::Ending
    }
}

/// Makes the directory if need be, and locks it.
fn take(files: &dyn Files, dir: &Path) -> Result<Box<dyn Lock>, OpenError> {
    let failed = |act| move |source| OpenError::Io { act, dir: dir.to_owned(), source };
    if !files.is_dir(dir) {
        // One folder is made, but no more: a mistyped path, or a disk that is not mounted, should be told.
        if !dir.parent().is_some_and(|parent| files.is_dir(parent)) {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        files.make_dir(dir).map_err(failed("make a folder"))?;
        let parent = dir.parent().unwrap_or(dir);
        files.sync_dir(parent).map_err(failed("make a folder"))?;
    }
    let lock = files.lock(&dir.join("lock")).map_err(failed("take the lock"))?;
    lock.ok_or_else(|| OpenError::Locked { dir: dir.to_owned() })
}

/// Opens the cursor and writes down what was found.
fn keep(files: &dyn Files, dir: &Path, marked: &cursor::Marked, done: &done::Done) -> io::Result<Cursor> {
    let mut cursor = Cursor::open(files, &cursor::path(dir), marked)?;
    cursor.write(done)?;
    cursor.sync()?;
    files.sync_dir(dir)?;
    Ok(cursor)
}

fn start(shared: &Arc<Shared>, appender: Appender, cursor: Cursor) -> io::Result<()> {
    let writer = Writer::new(shared.clone(), appender);
    let reader = Reader::new(shared.clone());
    let keeper = Keeper::new(shared.clone(), cursor);
    shared.state.lock().threads = 3;
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(|_| ())
    };
    spawn("queue-write", Box::new(move || writer.run()))?;
    spawn("queue-read", Box::new(move || reader.run()))?;
    spawn("queue-keep", Box::new(move || keeper.run()))
}
