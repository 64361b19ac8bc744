//! Reading the files that a gate is built from.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of one file: certificates, keys and lists of credentials are far smaller.
const BYTES_MAX: u64 = 4 << 20;

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct FileFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and the mend. Never a word of what is in it.
    pub why: String,
}

impl FileFault {
    pub(super) fn new(path: &Path, why: impl Into<String>) -> FileFault {
        FileFault { path: path.to_owned(), why: why.into() }
    }
}

/// Reads a whole file of at most 4 MiB.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, FileFault> {
    let fault = |error: std::io::Error| FileFault::new(path, format!("it cannot be read: {error}"));
    let metadata = std::fs::metadata(path).map_err(fault)?;
    if !metadata.is_file() {
        // To open a pipe would wait for its writer.
        return Err(FileFault::new(path, "it is not a file"));
    }
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut content).map_err(fault)?;
    if content.len() as u64 > BYTES_MAX {
        return Err(FileFault::new(path, "it is larger than 4 MiB"));
    }
    Ok(content)
}
