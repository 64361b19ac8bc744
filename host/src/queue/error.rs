//! Why a queue does not open, and why it does not take something.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A queue's directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not there, and neither is its parent.
    #[error("there is no folder `{}` for the queue; create it with `mkdir -p '{}'`", dir.display(), dir.display())]
    Missing {
        /// The queue's directory.
        dir: PathBuf,
    },
    /// The directory is there, but there is no queue in it.
    #[error("there is no queue in `{}`; name the folder that the pipeline file names as `durable`", dir.display())]
    NoQueue {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process, or another exporter, has it.
    #[error(
        "the queue `{}` is in use by another process; end that one, or give each its own directory",
        dir.display()
    )]
    Locked {
        /// The queue's directory.
        dir: PathBuf,
    },
    /// A later version of Sluicebox wrote it (F51).
    #[error(
        "the queue `{}` was written by a later version of Sluicebox (format {version} in `{file}`, this one reads \
         {}); run that version, or let it drain the queue with `sluicebox queue drain`",
        dir.display(), super::segment::VERSION
    )]
    Newer {
        /// The queue's directory.
        dir: PathBuf,
        /// The file in it that says so.
        file: String,
        /// The version that it names.
        version: u32,
    },
    /// The directory cannot be read or written.
    #[error(
        "cannot {act} in the queue `{}`: {source}; the directory must be readable and writable for this user, and \
         its disk must not be full",
        dir.display()
    )]
    Io {
        /// What was being done.
        act: &'static str,
        /// The queue's directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The queue takes nothing now; whoever asked may come again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// There is no room within `max_bytes`.
    #[error("the queue is full")]
    NoRoom,
    /// More waits to be written than may wait in memory: the disk does not keep up.
    #[error("the queue's disk does not keep up")]
    Slow,
    /// Writing has just failed; it is tried again in a moment.
    #[error("the queue's disk fails: {why}")]
    Failing {
        /// How it failed.
        why: Arc<str>,
    },
    /// The queue is being closed.
    #[error("the queue is being closed")]
    Closed,
}

/// An entry was not taken: whoever sent it keeps it, and may come again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue's disk fails: {why}")]
pub struct AppendError {
    /// How it failed.
    pub why: Arc<str>,
}
