//! What a pipeline file means, valid by construction: every reference resolves, every number is in range.
//! Everything outside `config` works from these types; `Raw` never leaves it.

mod admission;
mod audit;
mod compression;
mod cors;
mod credential;
mod delivery;
mod durable;
mod exporter;
mod memory;
mod password;
mod quarantine;
mod receiver;
mod secret;
mod security;
mod service;
mod spread;
mod stage;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::data::Signal;

pub use admission::*;
pub use audit::*;
pub use compression::*;
pub use cors::*;
pub use credential::*;
pub use delivery::*;
pub use durable::*;
pub use exporter::*;
pub use memory::*;
pub use password::*;
pub use quarantine::*;
pub use receiver::*;
pub use secret::*;
pub use security::*;
pub use service::*;
pub use spread::*;
pub use stage::*;
pub use tls::*;

/// Everything that one `run` was given: the union of its files.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Spec {
    /// Receivers by id (`otlp`, `otlp/second`), those that some pipeline uses.
    pub receivers: BTreeMap<String, ReceiverSpec>,
    /// Stages by id (`drop-probes`).
    pub processors: BTreeMap<String, StageSpec>,
    /// Exporters by id (`otlp/backend`).
    pub exporters: BTreeMap<String, ExporterSpec>,
    /// Pipelines by id (`traces`, `traces/checkout`).
    pub pipelines: BTreeMap<String, PipelineSpec>,
    /// What concerns the whole process.
    pub service: ServiceSpec,
}

/// One pipeline: which receivers feed it, through which stages, to which exporters.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    /// The one signal that it carries.
    pub signal: Signal,
    /// Ids in [`Spec::receivers`]; never empty.
    pub receivers: Vec<String>,
    /// Ids in [`Spec::processors`], in the order of the chain.
    pub processors: Vec<String>,
    /// Ids in [`Spec::exporters`]; never empty.
    pub exporters: Vec<String>,
    /// The file that declared it.
    pub file: PathBuf,
}

/// A place in a file: for problems that are found after parsing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}
