//! What the watched files contain, as hashes: the one thing that decides whether there is a change.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;

use super::Change;
use super::set::WatchSet;

/// Bytes of one file that are read; what is longer is told apart by these and its length.
const BYTES_MAX: u64 = 256 << 20;
/// Bytes that are read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// The content of one file. Hashes live only in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Print {
    Bytes {
        len: u64,
        hash: u64,
    },
    Missing,
    /// There, but not a regular file, or not ours to read.
    Unreadable,
}

/// The content of all files of a set at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    prints: BTreeMap<PathBuf, Print>,
}

impl Content {
    /// Reads every file of the set.
    pub fn read(set: &WatchSet) -> Self {
        let prints = set.places().files.into_iter().map(|path| {
            let print = print(&path);
            (path, print)
        });
        Content { prints: prints.collect() }
    }

    /// This content, where files that `before` knows are as they were then.
    pub fn with_history(mut self, before: &Content) -> Self {
        for (path, print) in &mut self.prints {
            if let Some(old) = before.prints.get(path) {
                *print = *old;
            }
        }
        self
    }

    /// What is different in `now`; `None` if nothing is.
    pub fn change_to(&self, now: &Content) -> Option<Change> {
        let differs = |(path, print): &(&PathBuf, &Print)| self.prints.get(*path) != Some(*print);
        let gone = self.prints.keys().filter(|path| !now.prints.contains_key(*path));
        let mut missing: Vec<PathBuf> = gone.clone().cloned().collect();
        let mut paths = missing.clone();
        for (path, print) in now.prints.iter().filter(differs) {
            paths.push(path.clone());
            if *print == Print::Missing {
                missing.push(path.clone());
            }
        }
        paths.sort();
        missing.sort();
        (!paths.is_empty()).then_some(Change { paths, missing })
    }
}

fn print(path: &Path) -> Print {
    match hash(path) {
        Ok(print) => print,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Print::Missing,
        Err(_) => Print::Unreadable,
    }
}

fn hash(path: &Path) -> io::Result<Print> {
    // Asked first: to open a pipe would wait for its writer.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(Print::Unreadable);
    }
    let mut file = File::open(path)?.take(BYTES_MAX);
    let mut hasher = FixedState::default().build_hasher();
    let mut piece = vec![0; PIECE_BYTES];
    let mut read = 0;
    loop {
        let filled = fill(&mut file, &mut piece)?;
        hasher.write(piece.get(..filled).unwrap_or_default());
        read += filled as u64;
        if filled < PIECE_BYTES {
            break;
        }
    }
    let len = if read < BYTES_MAX { read } else { metadata.len() };
    Ok(Print::Bytes { len, hash: hasher.finish() })
}

/// Reads until the buffer is full or the file ends, so that equal files are hashed in equal pieces.
fn fill(file: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_equal_content_whatever_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let mut bytes = vec![7; 3 * PIECE_BYTES + 11];
        std::fs::write(&a, &bytes).unwrap();
        std::fs::write(&b, &bytes).unwrap();
        assert_eq!(print(&a), print(&b));
        bytes[2 * PIECE_BYTES] = 8;
        std::fs::write(&b, &bytes).unwrap();
        assert_ne!(print(&a), print(&b));
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_unreadable_and_a_file_in_place_of_a_folder_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(print(dir.path()), Print::Unreadable);
        std::fs::write(dir.path().join("a"), "x").unwrap();
        assert_eq!(print(&dir.path().join("a/b")), Print::Missing);
    }
}
