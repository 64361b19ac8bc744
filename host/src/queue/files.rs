//! The few operations on files that the queue is made of, so that tests can put a disk under it that fills up,
//! fails, and loses power.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// An open file. Reading and writing name the place, so that threads share it.
pub trait OpenFile: Debug + Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads what is there from `offset` on, at most `buffer`; less only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. On an error, any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file to a size.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Returns when all that was written will survive a power loss. After an error nobody knows what will, and a
    /// later success says nothing about it: the system may have thrown the pages away (F47).
    fn sync(&self) -> io::Result<()>;
}

/// What an existing file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// A lock that is held as long as this lives.
pub trait Lock: Debug + Send + Sync {}

/// Operations on a directory and what is in it.
pub trait Files: Debug + Send + Sync {
    /// Whether this is a directory.
    fn is_dir(&self, path: &Path) -> bool;

    /// Makes one directory; its parent must be there. One that exists is fine.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// The names of what is in a directory, in no order; names that are not UTF-8 are not ours and left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a new file; fails if it exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>>;

    /// Opens an existing file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn OpenFile>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes new, renamed and removed names in `dir` survive a power loss.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Locks a file against every other process and every other call; none: somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// The real ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl OpenFile for File {
    fn size(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while !buffer.is_empty() {
            match FileExt::read_at(self, buffer, offset) {
                Ok(0) => break,
                Ok(count) => {
                    read += count;
                    offset += count as u64;
                    buffer = buffer.get_mut(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        // The size is part of what is needed to read the data again, so this covers it.
        self.sync_data()
    }
}

/// A lock of the system's on a file.
#[derive(Debug)]
struct Locked(File);

impl Lock for Locked {}

impl Drop for Locked {
    /// Closing the file would not do: a child process that is being started at this moment has a copy of it until it
    /// runs its own program, and with the copy the lock.
    fn drop(&mut self) {
        // What fails here ends with the file.
        let _ = self.0.unlock();
    }
}

impl Files for Disk {
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(access == Access::Write).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Locked(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_let_go_is_gone_although_a_child_has_a_copy_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        let lock = Locked(file);
        let _copy = lock.0.try_clone().unwrap();
        assert!(Disk.lock(&path).unwrap().is_none());
        drop(lock);
        assert!(Disk.lock(&path).unwrap().is_some());
    }
}
