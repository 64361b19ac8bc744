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
        Ok(Writer { path: spec.path.clone(), rotation: spec.rotation.clone(), file, len, since: Instant::now() })
    }

    /// Appends all chunks or, on an error, none of them. A new file is begun before it when that is due.
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<(), WriteError> {
        let adding = chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        if self.is_due(adding) {
            self.rotate().map_err(|source| self.error("rotate", source))?;
        }
        let written = chunks.iter().try_for_each(|chunk| self.file.write_all(chunk)).and_then(|()| self.file.flush());
        match written {
            Ok(()) => {
                self.len += adding;
                Ok(())
            }
            Err(source) => {
                // If even this fails, the next write that works ends the broken line's file at the same place.
                let _ = self.file.set_len(self.len);
                Err(self.error("write to", source))
            }
        }
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
        std::fs::rename(&self.path, rotation::free_name(&self.path, now.as_millis() as u64))?;
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
