//! Dead letters: records that cannot go on, kept in a file with the reason, so that they can be looked at, mended and
//! replayed.
//!
//! ```text
//!  stage (poison record)    ─┐
//!  destination (given up)   ─┴─► write ─► line ─► append, fdatasync ─► Ok: the file has taken charge
//! ```
//! A line is an OTLP JSON request, as the file exporter writes and `replay` reads them, with one more member,
//! `sluicebox`, that says who gave it up and why; readers of OTLP JSON ignore names that they do not know (R33).
//!
//! A write is answered when the line is synced. Writers that wait at the same time share one sync. At most
//! [`WAITING_MAX`] wait; the next one waits for its turn to wait. A write that fails leaves no half line; whoever wrote
//! decides what becomes of the record.
//!
//! There is one writer a file, whoever shares it and across reloads: [`DeadLetters`] knows which are open. Files are
//! rotated by size, and the oldest deleted: that is the bound on the disk.

mod line;
mod set;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

pub use self::line::Why;
pub use self::set::DeadLetters;
use crate::config::spec::{Compression, FileSpec, RotationSpec};
use crate::data::Signal;
use crate::data::wire::Malformed;
use crate::exporter::BuildError;
use crate::exporter::file::writer::{WriteError, Writer};
use crate::telemetry::metrics::{DeadLetterLabels, Metrics};

/// Writes that wait at a time, each with its request in memory.
pub const WAITING_MAX: usize = 64;

/// How large the files of one path may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub max_bytes: u64,
    /// Rotated files that are kept beside it; older ones are deleted.
    pub max_backups: usize,
}

impl Default for Limits {
    /// 64 MiB, and 8 rotated files.
    fn default() -> Self {
        Limits { max_bytes: 64 << 20, max_backups: 8 }
    }
}

impl Limits {
    fn rotation(self) -> RotationSpec {
        RotationSpec { max_bytes: self.max_bytes, max_age: None, max_backups: self.max_backups }
    }
}

/// A dead-letter file. Cheap to clone; all clones share one writer.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    places: Semaphore,
    /// Lines that nobody has begun to write.
    waiting: Mutex<Vec<Waiting>>,
    writer: Mutex<Writer>,
    metrics: Metrics,
}

/// A line, and who waits for it to be on disk.
#[derive(Debug)]
struct Waiting {
    line: Bytes,
    written: oneshot::Sender<Result<(), Arc<WriteError>>>,
}

/// A request could not be written; nothing of it is in the file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// It cannot be written as JSON.
    #[error("the request cannot be written as JSON: {0}")]
    Encode(#[from] Malformed),
    /// The file does not take it.
    #[error(transparent)]
    Write(#[from] Arc<WriteError>),
    /// The process ends.
    #[error("writing was interrupted")]
    Interrupted,
}

impl DeadLetter {
    /// Opens or creates a file that nothing else of the process writes to; see [`DeadLetters::open`] for one that may
    /// be shared. Its folder must be there.
    ///
    /// # Errors
    /// [`BuildError::File`] with the mend.
    pub fn open(path: &Path, limits: Limits, metrics: &Metrics) -> Result<DeadLetter, BuildError> {
        let rotation = Some(limits.rotation());
        let writer = Writer::open(&FileSpec { path: path.to_owned(), compression: Compression::None, rotation })?;
        let inner = Inner {
            path: path.to_owned(),
            places: Semaphore::new(WAITING_MAX),
            waiting: Mutex::default(),
            writer: Mutex::new(writer),
            metrics: metrics.clone(),
        };
        Ok(DeadLetter { inner: Arc::new(inner) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Writes an encoded `Export…ServiceRequest` of so many records, and syncs it. Counted, whatever comes of it.
    /// Cancelling does not take back what was begun.
    ///
    /// # Errors
    /// [`DeadLetterError`]: nothing was written, or (when the sync alone failed) nobody knows whether it will last.
    pub async fn write(&self, signal: Signal, request: Bytes, records: u64, why: &Why) -> Result<(), DeadLetterError> {
        let result = self.commit(signal, request, records, why.clone()).await;
        let outcome = if result.is_ok() { "written" } else { "failed" };
        let labels = DeadLetterLabels { signal, component: why.component.clone(), outcome };
        self.inner.metrics.dead_letter_records.get_or_create_owned(&labels).inc_by(records);
        result
    }

    async fn commit(&self, signal: Signal, request: Bytes, records: u64, why: Why) -> Result<(), DeadLetterError> {
        // Cannot fail: the semaphore is never closed.
        let _place = self.inner.places.acquire().await.map_err(|_| DeadLetterError::Interrupted)?;
        let (written, outcome) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            let line = line::line(signal, &request, records, &why)?;
            inner.waiting.lock().push(Waiting { line, written });
            inner.write_waiting();
            Ok::<(), Malformed>(())
        });
        work.await.map_err(|_| DeadLetterError::Interrupted)??;
        // Whoever wrote the line has answered by now: it was this thread, or the one that it waited for.
        Ok(outcome.await.map_err(|_| DeadLetterError::Interrupted)??)
    }
}

impl Inner {
    /// Writes whatever waits, if the thread before has not done so already. Blocks.
    fn write_waiting(&self) {
        let mut writer = self.writer.lock();
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return;
        }
        let lines: Vec<Bytes> = waiting.iter().map(|waiting| waiting.line.clone()).collect();
        let result = writer.append(&lines).and_then(|()| writer.sync()).map_err(Arc::new);
        for Waiting { written, .. } in waiting {
            // Whoever asked may have gone.
            let _ = written.send(result.clone());
        }
    }
}
