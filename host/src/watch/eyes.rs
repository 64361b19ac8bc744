//! The kernel's events: they make the watcher look at once, and it does without them where there are none.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Message;
use super::set::{FILES_MAX, WatchSet};

/// Watches folders, each by itself: a watch on a file dies with the first rename over it, and a recursive one
/// would descend into `target/`.
#[derive(Debug)]
pub(super) struct Eyes {
    backend: Option<RecommendedWatcher>,
    armed: BTreeSet<PathBuf>,
    complained: bool,
    said_cut: bool,
}

impl Eyes {
    /// Asks the operating system for events.
    pub fn open(messages: SyncSender<Message>) -> Self {
        Eyes::adopt(notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, is_news) {
                // A full channel means that it will look anyway.
                let _ = messages.try_send(Message::Event);
            }
        }))
    }

    /// Takes the backend, or goes without.
    pub fn adopt(backend: notify::Result<RecommendedWatcher>) -> Self {
        let mut eyes = Eyes { backend: None, armed: BTreeSet::new(), complained: false, said_cut: false };
        match backend {
            Ok(backend) => eyes.backend = Some(backend),
            Err(error) => eyes.complain(&error),
        }
        eyes
    }

    /// Arms every folder of the set, anew if it was armed before: a folder that was deleted and made again has lost
    /// its watch without a word.
    pub fn look_at(&mut self, set: &WatchSet) {
        let places = set.places();
        if places.cut && !std::mem::replace(&mut self.said_cut, true) {
            tracing::warn!(limit = FILES_MAX, "more files than the limit are to be watched; the rest is not");
        }
        let Some(backend) = &mut self.backend else { return };
        for folder in std::mem::take(&mut self.armed) {
            // An error says that the watch is gone already.
            let _ = backend.unwatch(&folder);
        }
        let mut refused = None;
        for folder in places.folders.into_iter().filter(|folder| folder.is_dir()) {
            match backend.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(folder);
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused {
            self.complain(&error);
        }
    }

    /// Says once that changes are found late.
    fn complain(&mut self, error: &notify::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                %error,
                "the system gives no file events; changes are found by the periodic check alone \
                 (raise fs.inotify.max_user_watches or max_user_instances for events)"
            );
        }
    }
}

/// Whether an event can mean that content changed. Reading a file is an event too: one that must not wake its reader.
fn is_news(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
