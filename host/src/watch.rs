//! Sees that files which a generation was built from have other content than before.
//!
//! Life: [`Watcher::start`] reads the content of a [`WatchSet`] and starts one thread. The thread sleeps until the
//! kernel reports something in a folder that matters, or until the next periodic check; it then waits until the
//! folders are quiet, reads everything again, and sends one [`Change`] if any *content* differs. The kernel's events
//! say when to look and never what happened: a rename over the file, a write in pieces, a Kubernetes `..data` swap
//! and a delete all look the same to it. A machine without inotify, or with none left, loses only promptness.
//!
//! Dropping the [`Watcher`] ends the thread.

mod content;
mod eyes;
mod set;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

pub use self::set::WatchSet;

use self::content::Content;
use self::eyes::Eyes;
use crate::supervise::{fault_point, survived_on_thread};

/// Changes that may wait to be taken; more are merged into the next one.
const CHANGES_MAX: usize = 16;
/// Messages to the thread that may wait; more events than this say nothing new.
const MESSAGES_MAX: usize = 16;

/// Files whose content is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// All of them, sorted: changed, new and missing ones.
    pub paths: Vec<PathBuf>,
    /// Those of `paths` that are no longer there.
    pub missing: Vec<PathBuf>,
}

/// When the watcher looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long nothing may happen before a change is believed to be complete. 100 ms suits editors.
    pub quiet: Duration,
    /// After how long a change is reported although the folders are not quiet. 1 s by default.
    pub longest: Duration,
    /// Time between two checks that need no event. 2 s by default.
    pub check_every: Duration,
}

impl Timing {
    /// The default timing, with another quiet time.
    pub fn with_quiet(quiet: Duration) -> Self {
        Timing { quiet, ..Timing::default() }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            quiet: Duration::from_millis(100),
            longest: Duration::from_secs(1),
            check_every: Duration::from_secs(2),
        }
    }
}

/// A running watch. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
enum Message {
    /// Something happened in a watched folder.
    Event,
    /// Watch these from now on.
    Watch(WatchSet),
    /// End.
    Stop,
}

impl Watcher {
    /// Starts to watch. What differs from the content of this moment is a change, so start it *before* the files
    /// are loaded: a change during the load is then seen.
    pub fn start(set: WatchSet, quiet: Duration) -> (Watcher, mpsc::Receiver<Change>) {
        Watcher::start_timed(set, Timing::with_quiet(quiet))
    }

    /// As [`Watcher::start`], with every time chosen.
    pub fn start_timed(set: WatchSet, timing: Timing) -> (Watcher, mpsc::Receiver<Change>) {
        Watcher::start_with(set, timing, Eyes::open)
    }

    fn start_with(
        set: WatchSet,
        timing: Timing,
        open: impl FnOnce(SyncSender<Message>) -> Eyes,
    ) -> (Watcher, mpsc::Receiver<Change>) {
        let (messages, inbox) = sync_channel(MESSAGES_MAX);
        let (changes, receiver) = mpsc::channel(CHANGES_MAX);
        let mut eyes = open(messages.clone());
        eyes.look_at(&set);
        let base = Content::read(&set);
        let mut watch = Watch { set, timing, eyes, base, inbox, changes };
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || survived_on_thread("watch of files", || watch.run()));
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(error) => {
                tracing::error!(%error, "files are not watched: no thread could be started; SIGHUP still reloads");
                None
            }
        };
        (Watcher { messages, thread }, receiver)
    }

    /// Replaces what is watched. Files that were watched before keep the content that they are compared with; new
    /// ones are compared with their content of this moment.
    pub fn watch(&self, set: WatchSet) {
        // Fails only when the thread is gone, which was reported when it happened.
        let _ = self.messages.send(Message::Watch(set));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches files had panicked");
        }
    }
}

/// What the thread owns.
struct Watch {
    set: WatchSet,
    timing: Timing,
    eyes: Eyes,
    /// What the receiver of the changes knows.
    base: Content,
    inbox: Inbox<Message>,
    changes: mpsc::Sender<Change>,
}

/// Whether the thread goes on.
enum Next {
    Look,
    End,
}

impl Watch {
    fn run(&mut self) {
        while !self.changes.is_closed() {
            fault_point("watch");
            let next = match self.inbox.recv_timeout(self.timing.check_every) {
                Ok(Message::Event) => self.settle(None),
                Err(RecvTimeoutError::Timeout) => self.check(),
                Ok(Message::Watch(set)) => {
                    self.replace(set);
                    self.settle(None)
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => Next::End,
            };
            if matches!(next, Next::End) {
                return;
            }
        }
    }

    /// The periodic check: a difference that no event announced may still be on its way, so it has to settle too.
    fn check(&mut self) -> Next {
        let now = Content::read(&self.set);
        if now == self.base { Next::Look } else { self.settle(Some(now)) }
    }

    /// Waits until nothing happens any more, then reports. `seen` is a content that no event announced: it counts
    /// as complete only when a second look finds the same.
    fn settle(&mut self, mut seen: Option<Content>) -> Next {
        let until = Instant::now() + self.timing.longest;
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(self.timing.quiet.min(rest)) {
                Ok(Message::Event) if !rest.is_zero() => continue,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Next::End,
                Ok(Message::Watch(set)) => self.replace(set),
                Ok(Message::Event) | Err(RecvTimeoutError::Timeout) => {}
            }
            // Armed anew each time, before the look: a folder that was replaced has lost its watch.
            self.eyes.look_at(&self.set);
            let now = Content::read(&self.set);
            let complete = seen.as_ref().is_none_or(|before| *before == now) || rest.is_zero();
            if complete {
                self.report(now);
                return Next::Look;
            }
            seen = Some(now);
        }
    }

    /// Takes another set. Has to be followed by a look, which also arms the folders of the set.
    fn replace(&mut self, set: WatchSet) {
        self.set = set;
        self.base = Content::read(&self.set).with_history(&self.base);
    }

    /// Sends what differs. If nobody has taken the changes before, the next check tries again.
    fn report(&mut self, now: Content) {
        if let Some(change) = self.base.change_to(&now)
            && self.changes.try_send(change).is_ok()
        {
            self.base = now;
        }
    }
}
