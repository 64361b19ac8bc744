//! Looking at a queue without being its process: nothing is locked, repaired or written, so that it works beside a
//! running process and on a read-only copy. What a running process changes meanwhile may be seen or not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cursor::{self, Marked};
use super::done::Done;
use super::error::OpenError;
use super::files::{Access, Disk, Files};
use super::quarantine;
use super::recover::{Outline, segment_ids};
use super::segment::{self, HEADER_BYTES};
use super::walk::{Found, Walk};
use crate::data::Payload;

/// A queue's directory, as it was found.
#[derive(Debug)]
pub struct View {
    dir: PathBuf,
    segments: Vec<Outline>,
    marked: Marked,
    names: Vec<String>,
}

/// An entry that is there.
#[derive(Debug)]
pub struct Seen {
    /// Its number.
    pub sequence: u64,
    /// When it was taken, in milliseconds since 1970.
    pub enqueued_ms: u64,
    /// Whether it is done with.
    pub done: bool,
    /// What is in it.
    pub payload: Payload,
}

/// What is met on the way through a queue.
#[derive(Debug)]
pub enum Sight {
    /// An entry.
    Entry(Seen),
    /// So many bytes that are none: damaged, or at the end of the last file half written.
    Unreadable(u64),
}

impl View {
    /// Looks at a directory.
    ///
    /// # Errors
    /// It cannot be read, holds no queue, or one of a later format.
    pub fn open(dir: &Path) -> Result<View, OpenError> {
        let failed = |act| move |source| OpenError::Io { act, dir: dir.to_owned(), source };
        if !dir.is_dir() {
            return Err(OpenError::NoQueue { dir: dir.to_owned() });
        }
        let newer = |path: &Path, version| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            OpenError::Newer { dir: dir.to_owned(), file, version }
        };
        let names = Disk.list(dir).map_err(failed("list the files"))?;
        let path = cursor::path(dir);
        let marked = cursor::read(&Disk, &path).map_err(failed("read the cursor"))?;
        if let Marked::Newer(version) = marked {
            return Err(newer(&path, version));
        }
        let mut segments = Vec::new();
        for id in segment_ids(&names) {
            let path = segment::path(dir, id);
            match Outline::read(&Disk, &path, id, Access::Read) {
                Ok(outline) => segments.push(outline.map_err(|version| newer(&path, version))?),
                // A running process has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("read a segment")(error)),
            }
        }
        if segments.is_empty() && marked == Marked::Missing {
            return Err(OpenError::NoQueue { dir: dir.to_owned() });
        }
        Ok(View { dir: dir.to_owned(), segments, marked, names })
    }

    /// The cursor, as it was found.
    pub fn cursor(&self) -> &Marked {
        &self.marked
    }

    /// How many segments there are, and their bytes.
    pub fn segments(&self) -> (usize, u64) {
        (self.segments.len(), self.segments.iter().map(|outline| outline.size).sum())
    }

    /// How many files lie in quarantine, and their bytes.
    pub fn quarantined(&self) -> (usize, u64) {
        quarantine::size(&Disk, &self.dir, &self.names)
    }

    /// Whether a process has the queue open.
    pub fn is_in_use(&self) -> bool {
        let lock = File::open(self.dir.join("lock"));
        lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }

    /// Goes through everything, in order. Holds one read in memory, however much there is.
    ///
    /// # Errors
    /// A file cannot be read, or what `visit` says.
    pub fn visit(&self, mut visit: impl FnMut(Sight) -> io::Result<()>) -> io::Result<()> {
        let nothing = Done::default();
        let done = match &self.marked {
            Marked::Sound { done, .. } => done,
            _ => &nothing,
        };
        for outline in &self.segments {
            let Some(header) = outline.header else {
                visit(Sight::Unreadable(outline.size))?;
                continue;
            };
            let mut walk = Walk::new(Arc::clone(&outline.file), header.salt, HEADER_BYTES as u64, outline.data_end());
            while let Some(found) = walk.step()? {
                visit(match found {
                    Found::Frame { head, payload, .. } => Sight::Entry(Seen {
                        sequence: head.sequence,
                        enqueued_ms: head.enqueued_ms,
                        done: done.contains(head.sequence),
                        payload: head.payload(payload),
                    }),
                    Found::Damaged { at, end, .. } => Sight::Unreadable(end - at),
                })?;
            }
        }
        Ok(())
    }
}
