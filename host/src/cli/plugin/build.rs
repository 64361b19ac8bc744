//! `sluicebox plugin build`: a crate's `.wasm`, checked as the host checks it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::report;
use super::subject::Subject;
use crate::cli::Outcome;
use crate::plugin::{Engine, Plugin};

const EXAMPLES: &str = "\
Examples:
  sluicebox plugin build
  sluicebox plugin build plugins/drop-probes

A pipeline file may also name the crate's folder: then `run` builds it, again whenever it changes.";

/// Build a plugin crate for WebAssembly and check that this host loads it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Build {
    /// Folder of the crate
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let built = Subject::built(&self.folder)?;
        let plugin = Plugin::load(&Engine::new()?, &built.wasm).with_context(|| built.origin.to_string())?;
        println!("{} ({}, {})", built.origin, plugin.kind().name(), report::size(plugin.file_bytes()));
        Ok(Outcome::Done)
    }
}
