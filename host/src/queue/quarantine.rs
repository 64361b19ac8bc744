//! Where bytes go that are no sound frame: into files beside the segments, so that nothing is thrown away that
//! somebody may still want to look at (F44).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{Access, Files, OpenFile};

/// Bytes that may lie there. What is damaged beyond that is counted and logged, but not kept.
const BYTES_MAX: u64 = 256 << 20;
const COPY_BYTES: usize = 256 << 10;
const SUFFIX: &str = ".damaged";

/// The damaged bytes of one queue.
#[derive(Debug)]
pub struct Quarantine {
    files: Arc<dyn Files>,
    dir: PathBuf,
    bytes: AtomicU64,
}

/// Whether a file holds damaged bytes.
pub fn is_one(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// How many bytes lie in quarantine, and in how many files.
pub fn size(files: &dyn Files, dir: &Path, names: &[String]) -> (usize, u64) {
    let damaged = names.iter().filter(|name| is_one(name));
    let sizes = damaged.filter_map(|name| files.open(&dir.join(name), Access::Read).ok()?.size().ok());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

impl Quarantine {
    /// That of a queue whose directory has these names in it.
    pub fn new(files: Arc<dyn Files>, dir: &Path, names: &[String]) -> Self {
        let (_, bytes) = size(&*files, dir, names);
        Quarantine { files, dir: dir.to_owned(), bytes: AtomicU64::new(bytes) }
    }

    /// Copies a part of a segment; the file that it is in now, or none if there is no more room.
    pub fn copy(&self, id: u64, file: &dyn OpenFile, at: u64, end: u64) -> io::Result<Option<PathBuf>> {
        let size = end.saturating_sub(at);
        if self.bytes.load(Ordering::Relaxed).saturating_add(size) > BYTES_MAX {
            return Ok(None);
        }
        let path = self.dir.join(format!("{id:016}-{at:010}{SUFFIX}"));
        let copy = match self.files.create(&path) {
            Ok(copy) => copy,
            // The same damage was met before: the process ended before the cursor had passed it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Some(path)),
            Err(error) => return Err(error),
        };
        self.bytes.fetch_add(size, Ordering::Relaxed);
        let mut buffer = vec![0; COPY_BYTES];
        let mut from = at;
        while from < end {
            let want = usize::try_from(end - from).unwrap_or(usize::MAX).min(buffer.len());
            let read = file.read_at(buffer.get_mut(..want).unwrap_or_default(), from)?;
            if read == 0 {
                break;
            }
            copy.write_at(buffer.get(..read).unwrap_or_default(), from - at)?;
            from += read as u64;
        }
        copy.sync()?;
        Ok(Some(path))
    }

    /// Takes a whole segment out of the queue, under another name.
    pub fn set_aside(&self, segment: &Path) -> io::Result<PathBuf> {
        let mut name = segment.as_os_str().to_owned();
        name.push(SUFFIX);
        self.files.rename(segment, Path::new(&name))?;
        Ok(name.into())
    }
}
