//! Appending to a file, all or nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::time::Instant;

use super::rotation;
use crate::config::spec::{Compression, FileSpec, RotationSpec};
use crate::exporter::BuildError;

/// The open file.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    rotation: Option<RotationSpec>,
    file: File,
    /// Bytes of whole lines in the file.
    len: u64,
    /// Since when this file is written to; for one that was there already, the start of the exporter.
    since: Instant,
    /// The time in the name of the last file that was rotated, in milliseconds since 1970.
    rotated: u64,
    /// Whether the file may end in half a line of a write that failed.
    torn: bool,
    /// Whether a sync has made sure that the file's name lasts.
    is_named: bool,
}

/// Lines could not be written; none of them is in the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{}`: {source}", path.display())]
pub struct WriteError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Writer {
    /// Opens or creates the file. Its folder must be there: a mistyped path should not make folders.
    pub fn open(spec: &FileSpec) -> Result<Self, BuildError> {
        let refused = |why: String| BuildError::File { path: spec.path.clone(), why };
        if let Some(folder) = spec.path.parent().filter(|folder| !folder.is_dir()) {
            let folder = folder.display();
            return Err(refused(format!("there is no folder `{folder}`; create it with `mkdir -p '{folder}'`")));
        }
        let mut file = append_to(&spec.path).map_err(|error| refused(error.to_string()))?;
        let whole = match spec.compression {
            Compression::None => end_last_line(&mut file),
            _ => file.metadata().map(|metadata| metadata.len()),
        };
        let len = whole.map_err(|error| refused(error.to_string()))?;
        let (path, rotation) = (spec.path.clone(), spec.rotation.clone());
        Ok(Writer { path, rotation, file, len, since: Instant::now(), rotated: 0, torn: false, is_named: false })
    }

    /// Appends all chunks or, on an error, none of them. A new file is begun before it when that is due.
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<(), WriteError> {
        if self.torn {
            self.take_back()?;
        }
        let adding = chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        if self.is_due(adding) {
            self.rotate().map_err(|source| self.error("rotate", source))?;
        }
        let written = chunks.iter().try_for_each(|chunk| self.file.write_all(chunk)).and_then(|()| self.file.flush());
        if let Err(source) = written {
            self.take_back()?;
            return Err(self.error("write to", source));
        }
        self.len += adding;
        Ok(())
    }

    /// Has what was written on disk before it comes back: the lines, and after a rotation the name of the file.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.sync_all().map_err(|source| self.error("sync", source))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        // A device or pipe cannot be synced, and loses nothing by it.
        if !self.file.metadata()?.is_file() {
            return Ok(());
        }
        self.file.sync_data()?;
        if !self.is_named {
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            self.is_named = true;
        }
        Ok(())
    }

    /// Rotates otherwise from the next write on.
    pub fn rotate_by(&mut self, rotation: RotationSpec) {
        self.rotation = Some(rotation);
    }

    /// Cuts off what a failed write has left; until that works nothing else is written.
    fn take_back(&mut self) -> Result<(), WriteError> {
        self.torn = true;
        // A device or pipe has no length, and nothing of it can be taken back.
        let longer = self.file.metadata().map(|metadata| metadata.is_file() && metadata.len() > self.len);
        let cut = longer.and_then(|longer| if longer { self.file.set_len(self.len) } else { Ok(()) });
        cut.map_err(|source| self.error("take back half a line from", source))?;
        self.torn = false;
        Ok(())
    }

    fn error(&self, act: &'static str, source: io::Error) -> WriteError {
        WriteError { act, path: self.path.clone(), source }
    }

    fn is_due(&self, adding: u64) -> bool {
        let Some(rotation) = &self.rotation else { return false };
        let full = self.len + adding > rotation.max_bytes;
        let old = rotation.max_age.is_some_and(|age| self.since.elapsed() >= age);
        self.len > 0 && (full || old)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // Names sort by age even when the clock stands still or goes back.
        let millis = (now.as_millis() as u64).max(self.rotated + 1);
        let (name, millis) = rotation::free_name(&self.path, millis);
        std::fs::rename(&self.path, name)?;
        self.rotated = millis;
        self.is_named = false;
        self.file = append_to(&self.path)?;
        self.len = self.file.metadata()?.len();
        self.since = Instant::now();
        if let Some(rotation) = &self.rotation {
            rotation::prune(&self.path, rotation.max_backups)?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

/// A process that was killed may have left half a line: it is ended, so that the next one is readable.
fn end_last_line(file: &mut File) -> io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    if len == 0 {
        return Ok(0);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(len);
    }
    file.write_all(b"\n")?;
    Ok(len + 1)
}
