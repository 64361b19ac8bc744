//! OTLP JSON lines in a file: one request a line, as the collector's file exporter writes and `replay` reads them.
//!
//! Each batch is written by one call, compressed as a gzip member or zstd frame of its own (both formats may be
//! concatenated), and given to the operating system before it counts as delivered. A write that fails is taken back, so that no
//! partial line stays. Encoding and writing run on blocking threads: a slow disk does not hold up the shard.

pub mod rotation;
pub mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::compress::{Choice, Packer};
use super::outcome::{Failure, Outcome};
use super::{BuildError, Frames};
use crate::config::spec::FileSpec;
use crate::data::{Signal, json};
use writer::Writer;

/// The one writer of one file.
#[derive(Debug)]
pub struct FileExporter {
    writer: Arc<Mutex<Writer>>,
    packer: Packer,
}

impl FileExporter {
    /// Opens the file to append to it.
    pub fn open(spec: &FileSpec) -> Result<Self, BuildError> {
        let writer = Writer::open(spec)?;
        let packer = Packer::new(Choice::Fixed(spec.compression.into()));
        Ok(FileExporter { writer: Arc::new(Mutex::new(writer)), packer })
    }

    /// Writes the lines into memory.
    pub async fn prepare(&self, signal: Signal, requests: &[Bytes]) -> Result<Frames, Failure> {
        let requests = requests.to_vec();
        let lines = blocking(move || lines(signal, &requests)).await??;
        let packed = self.packer.pack(0, std::slice::from_ref(&lines)).await;
        let packed = packed.map_err(|error| Failure::permanent(format!("compressing failed: {error}")))?;
        Ok(Frames::new(vec![packed.map_or(lines, |packed| packed.bytes.into())]))
    }

    /// Appends the lines, all or none. Whatever goes wrong may get better: a full disk, a lost mount.
    pub async fn attempt(&self, frames: &Frames) -> Result<Outcome, Failure> {
        let (writer, frames) = (self.writer.clone(), frames.clone());
        let written = blocking(move || writer.lock().append(frames.chunks())).await?;
        written.map(|()| Outcome::default()).map_err(|error| Failure::unanswered(error.to_string()))
    }
}

fn lines(signal: Signal, requests: &[Bytes]) -> Result<Bytes, Failure> {
    let mut out = Vec::with_capacity(requests.iter().map(Bytes::len).sum::<usize>() * 3);
    for request in requests {
        json::encode(signal, request, &mut out)
            .map_err(|error| Failure::permanent(format!("the request cannot be written as JSON: {error}")))?;
        out.push(b'\n');
    }
    Ok(out.into())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::unanswered(format!("writing ended badly: {error}")))
}
