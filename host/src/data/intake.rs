//! The seam between receivers and pipelines: a request goes in, a receipt or a refusal comes out.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Signal;

/// What receivers hand requests to: the running topology.
pub trait Intake: Send + Sync + 'static {
    /// Takes one encoded `Export…ServiceRequest` on the shard that runs the caller. The answer comes when
    /// every destination of every pipeline of the receiver has taken charge of the records.
    fn take(&self, request: Request) -> BoxFuture<'_, Result<Receipt, Refusal>>;
}

/// One encoded `Export…ServiceRequest`.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it carries.
    pub signal: Signal,
    /// The encoded message, decompressed.
    pub bytes: Bytes,
    /// The shard that runs the caller.
    pub shard: usize,
}

/// The request was taken; some records may have been rejected for good (`partial_success`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Records of the request that were taken (dropped on purpose by a plugin counts as taken).
    pub accepted: u64,
    /// Records that were rejected for good: `rejected_spans` and its like.
    pub rejected: u64,
    /// Why, for people; empty if nothing was rejected.
    pub message: String,
}

/// The request was not taken, none of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a request of that signal, or cross a limit: `INVALID_ARGUMENT`, 400. Never retryable.
    #[error("{0}")]
    Malformed(String),
    /// The records cross a size limit: `RESOURCE_EXHAUSTED` without RetryInfo, 413. Never retryable.
    #[error("{0}")]
    TooLarge(String),
    /// No pipeline of the receiver takes that signal: `UNIMPLEMENTED`, 404. Never retryable.
    #[error("no pipeline takes {0} from this receiver")]
    NoPipeline(Signal),
    /// Not now: `UNAVAILABLE` with RetryInfo, 503 with Retry-After.
    #[error("{reason}")]
    Busy {
        /// Why, for people.
        reason: String,
        /// When to come again.
        retry_after: Duration,
    },
}
