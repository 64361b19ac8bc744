//! The memory limiter.

use std::time::Duration;

/// Limits of the memory that telemetry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryLimiterSpec {
    /// None.
    None,
    /// Default: three quarters of the memory there is, a fifth of that as spike.
    Limited {
        /// The hard limit.
        limit: MemoryShare,
        /// How far below it the soft limit lies; none: a fifth of it.
        spike: Option<MemoryShare>,
        /// Time between two looks at the resident memory. Default 1 s.
        check_interval: Duration,
    },
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryShare {
    /// In bytes.
    Bytes(usize),
    /// In hundredths of the memory that the process may use: the machine's, or its control group's.
    Percent(u8),
}

impl Default for MemoryLimiterSpec {
    fn default() -> Self {
        MemoryLimiterSpec::Limited {
            limit: MemoryShare::Percent(75),
            spike: None,
            check_interval: Duration::from_secs(1),
        }
    }
}
