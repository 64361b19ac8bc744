//! Stages as they are typed.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quarantine;
use crate::config::spec;
use crate::config::value::{Size, Time};

/// A stage: a configured plugin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Stage {
    /// A standard plugin's name, a path to a `.wasm` file, or the folder of a plugin crate. A path has a `/` or ends
    /// in `.wasm`. May be left out if the part of the id before `/` is the name of a standard plugin.
    pub plugin: Option<String>,
    /// The plugin's config: what it takes is in its own schema.
    pub config: serde_json::Value,
    /// Limits of the plugin's calls.
    pub limits: StageLimits,
    /// What becomes of a batch when the plugin faults on it.
    pub on_error: OnError,
    /// Where records go that alone make the plugin fault. Left out: they follow `on_error`.
    pub quarantine: Option<Quarantine>,
    /// Host imports beyond logging that the plugin may use.
    pub grants: Vec<Grant>,
    /// Whether a component that imports WASI gets an empty one: no files, no network, no environment.
    pub wasi: Wasi,
}

/// Limits of one stage's plugin calls.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct StageLimits {
    /// Wall time of one call.
    pub deadline: Time,
    /// Linear memory of one instance.
    pub memory: Size,
    /// Size of one answer.
    pub answer: Size,
    /// Size of the state that the host keeps for the stage.
    pub state: Size,
    /// Calls after which an instance is replaced by a new one; 0: never.
    pub calls: u64,
    /// Wall time of one search of a batch for the records that make the plugin fault; 0: no search.
    pub search_time: Time,
    /// Records of one batch that a search sets apart at most.
    pub search_records: u64,
}

impl Default for StageLimits {
    fn default() -> Self {
        let limits = spec::StageLimits::default();
        StageLimits {
            deadline: Time(limits.deadline),
            memory: Size(limits.memory as u64),
            answer: Size(limits.answer as u64),
            state: Size(limits.state as u64),
            calls: limits.calls.map_or(0, NonZeroU64::get),
            search_time: Time(limits.search_time),
            search_records: limits.search_records as u64,
        }
    }
}

/// What becomes of a batch when the plugin faults on it.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum OnError {
    /// It goes on as if the stage were not there.
    #[default]
    Pass,
    /// It is dropped and counted.
    Drop,
    /// The client is told to try again.
    Reject,
}

/// A host import that has to be granted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Grant {
    /// Own counters and histograms.
    Metrics,
    /// State that the host keeps.
    State,
    /// The time.
    Clock,
    /// Random numbers.
    Random,
}

/// What a component that imports WASI gets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Wasi {
    /// Nothing: it does not load.
    #[default]
    None,
    /// An empty one.
    Empty,
}
