//! `sluicebox run`: the pipelines of some files, until a signal ends them.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::config::Problems;
use crate::plugin::Compiler;
use crate::topology::{self, RunOptions};

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
        let Some(loaded) = super::validate::load(&self.paths) else { return Ok(Outcome::Problems) };
        // The control side: reload, admin, signals. Data runs on the shards.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options = RunOptions { paths: self.paths, compiler: Compiler::apart() };
        let ran = runtime.block_on(topology::run(options, loaded));
        // Without this the process would wait for the build of a plugin crate whose reload was given up.
        runtime.shutdown_background();
        match ran {
            Ok(()) => Ok(Outcome::Done),
            Err(error) => match error.downcast::<Problems>() {
                Ok(problems) => {
                    eprintln!("{problems}");
                    Ok(Outcome::Problems)
                }
                Err(error) => Err(error),
            },
        }
    }
}
