//! The kernel's events: they make the watcher look at once, and it does without them where there are none.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;

use super::Message;
use super::set::{FILES_MAX, WatchSet};

/// Watches folders, each by itself: a watch on a file dies with the first rename over it, and a recursive one
/// would descend into `target/`.
#[derive(Debug)]
pub(super) struct Eyes {
    backend: Option<RecommendedWatcher>,
    armed: BTreeSet<PathBuf>,
    /// Files whose content counts, as events name them; shared with the thread that hears the events.
    files: Arc<Mutex<BTreeSet<PathBuf>>>,
    complained: bool,
    said_cut: bool,
}

impl Eyes {
    /// Asks the operating system for events.
    pub fn open(messages: SyncSender<Message>) -> Self {
        let files = Arc::new(Mutex::new(BTreeSet::new()));
        let watched = Arc::clone(&files);
        let backend = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| is_news(event, &watched.lock())) {
                // A full channel means that it will look anyway.
                let _ = messages.try_send(Message::Event);
            }
        });
        Eyes { files, ..Eyes::adopt(backend) }
    }

    /// Takes the backend, or goes without.
    pub fn adopt(backend: notify::Result<RecommendedWatcher>) -> Self {
        let mut eyes =
            Eyes { backend: None, armed: BTreeSet::new(), files: Arc::default(), complained: false, said_cut: false };
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
        *self.files.lock() = names(&places.files);
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

/// The paths by which events may name these files: the way that leads there, and where they really lie.
fn names(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let named = files.iter().filter_map(|file| std::path::absolute(file).ok());
    let real = files.iter().filter_map(|file| file.canonicalize().ok());
    named.chain(real).collect()
}

/// Whether an event can mean that content changed. Reading a file is an event too: one that must not wake its reader.
/// That a file of no interest is written to is none, or a folder with a log in it would never be quiet. What comes,
/// goes or is renamed may be anything: a file that is to be watched from now on, a link on the way to one.
fn is_news(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(|path| files.contains(path))
        }
        EventKind::Access(_) => false,
        _ => true,
    }
}
