//! Which dead-letter files are open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{DeadLetter, Inner, Limits};
use crate::exporter::BuildError;
use crate::telemetry::metrics::Metrics;

/// The dead-letter files of a process, one writer a path. A file is closed when the last [`DeadLetter`] of it is gone.
#[derive(Debug, Default)]
pub struct DeadLetters {
    pub(super) open: Mutex<BTreeMap<PathBuf, Weak<Inner>>>,
}

impl DeadLetters {
    /// The dead-letter file of a path: the one that is open already, or a new one. The newest limits hold.
    ///
    /// # Errors
    /// [`BuildError::File`] with the mend.
    pub fn open(&self, path: &Path, limits: Limits, metrics: &Metrics) -> Result<DeadLetter, BuildError> {
        let mut open = self.open.lock();
        open.retain(|_, inner| inner.strong_count() > 0);
        if let Some(inner) = open.get(path).and_then(Weak::upgrade) {
            inner.writer.lock().rotate_by(limits.rotation());
            return Ok(DeadLetter { inner });
        }
        let dead_letter = DeadLetter::open(path, limits, metrics)?;
        open.insert(path.to_owned(), Arc::downgrade(&dead_letter.inner));
        Ok(dead_letter)
    }
}
