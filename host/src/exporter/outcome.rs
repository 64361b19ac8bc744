//! How an attempt to deliver can end.

use std::time::Duration;

/// The peer took the request; perhaps not every record of it (`partial_success`, E9–E10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that the peer rejected for good.
    pub rejected: u64,
    /// What the peer says about it; a warning, if nothing was rejected.
    pub message: String,
}

/// The peer did not take the request, or nobody knows whether it did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same request may succeed later (E5–E7, E11–E14).
    #[error("{why}")]
    Retryable {
        /// The least time to wait, if the peer named one.
        after: Option<Duration>,
        /// What happened, for people; never holds a secret.
        why: String,
    },
    /// The same request will not succeed (E2, E8).
    #[error("{why}")]
    Permanent {
        /// What happened, for people; never holds a secret.
        why: String,
    },
}

impl Failure {
    /// Nobody answered, or the answer got lost: the request is sent again (E14, E34).
    pub fn unanswered(why: impl Into<String>) -> Self {
        Failure::Retryable { after: None, why: why.into() }
    }

    /// A refusal for good.
    pub fn permanent(why: impl Into<String>) -> Self {
        Failure::Permanent { why: why.into() }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Failure::Retryable { .. })
    }

    /// The least time to wait before the next attempt, if the peer named one.
    pub fn after(&self) -> Option<Duration> {
        match self {
            Failure::Retryable { after, .. } => *after,
            Failure::Permanent { .. } => None,
        }
    }
}

/// Characters of a peer's message that are kept: it goes into logs.
const MESSAGE_CHARS_MAX: usize = 512;

/// A peer's words, made fit for a log line: bounded, and with control characters escaped.
pub fn printable(words: &str) -> String {
    words
        .chars()
        .take(MESSAGE_CHARS_MAX)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// An error with its causes, for a message: `connecting failed: connection refused`.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..8 {
        let Some(cause) = source else { break };
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
