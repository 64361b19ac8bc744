//! A queue on a disk.

use std::path::PathBuf;
use std::time::Duration;

/// A queue on a disk.
#[derive(Clone, Debug, PartialEq)]
pub struct DurableSpec {
    /// The folder that holds it, absolute. No other exporter has it.
    pub dir: PathBuf,
    /// When a request counts as taken. Default: always synced first.
    pub sync: SyncSpec,
    /// Bytes on the disk. Default 10 GiB.
    pub max_bytes: u64,
    /// Requests that wait for longer are dropped. Default: none are.
    pub max_age: Option<Duration>,
    /// Bytes of one file. Default 64 MiB.
    pub segment_bytes: u64,
}

/// When a request counts as taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SyncSpec {
    /// When it is on the disk.
    Always,
    /// When the system has it, which writes it to the disk after at most this time.
    Interval(Duration),
}
