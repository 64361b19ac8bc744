//! What a queue is told to promise, and its bounds.

use std::time::Duration;

use crate::config::spec::{DurableSpec, SyncSpec};

/// When a written entry counts as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// When it is on the disk: survives a power loss.
    Always,
    /// When the operating system has it, which writes it to the disk after at most this time: survives the end of
    /// the process, and a power loss except for the last interval.
    Interval(Duration),
}

/// How a queue behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When an entry counts as taken.
    pub sync: Sync,
    /// Bytes on the disk, over all segments.
    pub max_bytes: u64,
    /// Entries that are older are dropped, and counted; none: never.
    pub max_age: Option<Duration>,
    /// Bytes after which a new segment is begun. A quarter of `max_bytes` if that is less, since space is given
    /// back by the segment.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { sync: Sync::Always, max_bytes: 10 << 30, max_age: None, segment_bytes: 64 << 20 }
    }
}

impl From<&DurableSpec> for Options {
    fn from(spec: &DurableSpec) -> Self {
        let sync = match spec.sync {
            SyncSpec::Always => Sync::Always,
            SyncSpec::Interval(interval) => Sync::Interval(interval),
        };
        Options { sync, max_bytes: spec.max_bytes, max_age: spec.max_age, segment_bytes: spec.segment_bytes }
    }
}

impl Options {
    /// The size of segments, as both bounds together allow.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes.min(self.max_bytes / 4).max(1)
    }
}
