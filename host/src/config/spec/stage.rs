//! Stages: the configured steps of a chain.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use super::{Place, QuarantineSpec};

/// A configured step of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// Where the plugin comes from.
    pub plugin: PluginSource,
    /// The plugin's config, as JSON.
    pub config: serde_json::Value,
    /// Limits of each call.
    pub limits: StageLimits,
    /// What becomes of a batch when the plugin faults on it.
    pub on_error: OnError,
    /// Where records go that alone make the plugin fault; none: they follow `on_error`.
    pub quarantine: Option<QuarantineSpec>,
    /// Host imports beyond logging that the plugin may use.
    pub grants: Vec<Grant>,
    /// Whether a component that imports WASI gets an empty one. Default false.
    pub empty_wasi: bool,
    /// Where the stage was written, for problems that only its plugin can find.
    pub place: Place,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginSource {
    /// A standard plugin that the binary carries, by name.
    Standard(String),
    /// A `.wasm` file: a core module or a component; absolute.
    File(PathBuf),
    /// A folder with a plugin crate (`Cargo.toml`), which is built; absolute.
    Crate(PathBuf),
}

/// Limits of one stage's plugin calls.
#[derive(Clone, Debug, PartialEq)]
pub struct StageLimits {
    /// Wall time of one call. Default 100 ms.
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes. Default 64 MiB.
    pub memory: usize,
    /// Bytes of one answer. Default 16 MiB.
    pub answer: usize,
    /// Bytes of host-kept state of the stage. Default 1 MiB.
    pub state: usize,
    /// Calls after which an instance is replaced by a new one; none: never. Default none.
    pub calls: Option<NonZeroU64>,
    /// Wall time of one search of a batch for the records that make the plugin fault; 0: no search. Default 2 s.
    pub search_time: Duration,
    /// Records of one batch that are set apart at most. Default 8.
    pub search_records: usize,
}

impl Default for StageLimits {
    fn default() -> Self {
        StageLimits {
            deadline: Duration::from_millis(100),
            memory: 64 << 20,
            answer: 16 << 20,
            state: 1 << 20,
            calls: None,
            search_time: Duration::from_secs(2),
            search_records: 8,
        }
    }
}

/// What becomes of a batch when the plugin faults on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// It goes on as if the stage were not there. The default.
    Pass,
    /// It is dropped and counted.
    Drop,
    /// The client is told to try again.
    Reject,
}

/// A host import that has to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// Own counters and histograms.
    Metrics,
    /// Host-kept state.
    State,
    /// The time.
    Clock,
    /// Random numbers.
    Random,
}

impl Grant {
    /// All grants.
    pub const ALL: [Grant; 4] = [Grant::Metrics, Grant::State, Grant::Clock, Grant::Random];

    /// As written in a pipeline file, and as the interface of the plugin package is called.
    pub const fn name(self) -> &'static str {
        match self {
            Grant::Metrics => "metrics",
            Grant::State => "state",
            Grant::Clock => "clock",
            Grant::Random => "random",
        }
    }
}
