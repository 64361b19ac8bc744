//! Plugins: WebAssembly that its users wrote, run as if it were hostile.
//!
//! A [`Plugin`] is a file, checked and compiled. A [`Stage`] is a plugin in its place in a pipeline, with its config,
//! limits and grants. An [`Instance`] is a running copy of it, one a shard, kept by a [`Slot`]:
//!
//! ```text
//! bytes ─load─► Plugin ─Stage::new─► Stage ─start─► Instance ─filter / sample / transform─► answer
//!                 │                    │               │  ▲
//!             LoadError            StartFault        Fault└── a new one, from the Slot, once its breaker allows
//! ```
//!
//! What a plugin cannot do: reach anything that its stage did not grant; run longer than its deadline, or keep its
//! thread from others for more than a tick; take more memory than its limit; answer with more than its limit; fill
//! the log; take the process down. Whether an *answer* makes sense is for the chain to check.
//!
//! What a [`Fault`] means: the call gave no answer, the batch is untouched. Unless the plugin itself refused, its
//! instance is gone with all that it held.

pub mod api;
mod breaker;
pub mod build;
pub mod cache;
pub mod compiler;
pub mod component;
mod empty_wasi;
pub mod engine;
pub mod fault;
pub mod imports;
pub mod instance;
pub mod interface;
mod limits;
mod search;
pub mod slot;
pub mod stage;
pub mod standard;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod ticker;
pub mod toolchain;

pub use cache::CodeCache;
pub use compiler::Compiler;
pub use component::{Digest, LoadError, Plugin};
pub use engine::{Engine, EngineError};
pub use fault::Fault;
pub use imports::metrics::PluginMetrics;
pub use imports::state::SharedState;
pub use instance::Instance;
pub use interface::{Import, Mismatch};
pub use slot::Slot;
pub use stage::{Stage, StageContext, StartFault};
pub use ticker::TICK;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Keeps or drops each record.
    Filter,
    /// Keeps each record with a probability.
    Sampler,
    /// Changes records.
    Transform,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Filter, Kind::Sampler, Kind::Transform];

    /// `filter`, `sampler` or `transform`: also the name of the interface that such a plugin exports.
    pub const fn name(&self) -> &'static str {
        match self {
            Kind::Filter => "filter",
            Kind::Sampler => "sampler",
            Kind::Transform => "transform",
        }
    }
}

/// Why an instance was replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It faulted, or its call was cancelled.
    Fault,
    /// It was called as often as an instance may be.
    Calls,
    /// It has grown to nearly all the memory that it may have.
    Memory,
}

impl Renewal {
    /// All causes.
    pub const ALL: [Renewal; 3] = [Renewal::Fault, Renewal::Calls, Renewal::Memory];

    /// As in the metrics: `fault`, `calls`, `memory`.
    pub const fn name(self) -> &'static str {
        match self {
            Renewal::Fault => "fault",
            Renewal::Calls => "calls",
            Renewal::Memory => "memory",
        }
    }
}

/// Who a plugin says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name, for people: `drop`.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line that says what it promises.
    pub summary: String,
    /// JSON Schema of its config, as text.
    pub config_schema: String,
}

/// What a plugin wants to see and to change, given its config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Field paths whose columns it is given, in that order.
    pub reads: Vec<String>,
    /// Field paths that it may edit; an edit names its field by position in this list.
    pub writes: Vec<String>,
    /// A sampler's reasons; a decision names its reason by position in this list.
    pub reasons: Vec<String>,
}
