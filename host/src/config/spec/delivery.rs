//! What lies between a pipeline and a target: queue, batches, retries.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::DurableSpec;

/// What holds requests between acknowledgement and delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueSpec {
    /// Acknowledged when it is in memory, at most so many bytes. Default, 64 MiB.
    Memory {
        /// Bytes of encoded requests, over all shards.
        max_bytes: usize,
    },
    /// Acknowledged when it is on the disk.
    Durable(DurableSpec),
    /// Acknowledged when it is delivered.
    None,
}

/// How requests are merged behind the queue, per destination.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSpec {
    /// A request is sent when it holds this many records. Default 8192.
    pub min_records: usize,
    /// A request never holds more records than this; larger ones are split. 0: no limit. Default 0.
    pub max_records: usize,
    /// A request never is larger than this, in bytes before compression; larger ones are split. Default 64 MiB for
    /// gRPC and HTTP (OTLP's limit, E1).
    pub max_bytes: usize,
    /// A request is sent when its oldest record has waited so long. Default 200 ms, or 5 ms with no queue: then a client
    /// waits, too.
    pub timeout: Duration,
    /// What chooses a size instead of `min_records`. Default none.
    pub adaptive: Option<AdaptiveBatchSpec>,
}

/// The size of requests follows the 95th percentile of the time that exports take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveBatchSpec {
    /// What 95 of 100 exports may take. Default 100 ms.
    pub target: Duration,
    /// The smallest size that is chosen, and the first. Default 256.
    pub min_records: NonZeroUsize,
    /// The largest size that is chosen; not below the smallest. Default 8192.
    pub max_records: NonZeroUsize,
}

/// How failures are retried.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySpec {
    /// Whether they are at all. Default true.
    pub enabled: bool,
    /// First wait. Default 5 s.
    pub initial_interval: Duration,
    /// Longest wait. Default 30 s.
    pub max_interval: Duration,
    /// After how long a request is given up; zero: never. Default 300 s.
    pub max_elapsed_time: Duration,
    /// What becomes of a request that is given up. Default: `Keep` behind a durable queue, else `DeadLetter` if there
    /// is a file for it, else `Drop`.
    pub on_exhausted: OnExhausted,
}

/// What becomes of records that were tried for as long as they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// They stay in the queue and are tried again, for ever, every `max_interval`.
    Keep,
    /// They are written to the exporter's dead-letter file, and counted as dropped.
    DeadLetter,
    /// They are dropped, and counted.
    Drop,
}
