//! What became of one request.

use super::super::Code;

/// What the target said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It took the request, except for so many records.
    Accepted {
        /// Records of `partial_success`.
        rejected: u64,
    },
    /// It did not.
    Failed(Code),
}

impl Answer {
    /// Whether nothing answered at all.
    pub const fn is_lost(self) -> bool {
        matches!(self, Answer::Failed(Code::Connection))
    }
}
