//! `sluicebox run`: the pipelines of some files, until a signal ends them.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  sluicebox run pipeline.yaml
  sluicebox run /etc/sluicebox/                Every *.yaml and *.yml in a folder, as one
  sluicebox -q --log-format json run edge.yaml

A change of a pipeline file, of a .wasm file or of a plugin crate's source is a reload, and so is
SIGHUP. What does not work is told in the log, and what ran before goes on. SIGTERM and SIGINT
drain and end.";

/// Run the pipelines of some files; reload them when they change
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Pipeline files, or folders of them (*.yaml, *.yml)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let Some(_loaded) = super::validate::load(&self.paths) else { return Ok(Outcome::Problems) };
        anyhow::bail!("this build can validate pipeline files, not run them")
    }
}
