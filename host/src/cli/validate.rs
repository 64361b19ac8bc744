//! `sluicebox validate`: says what is wrong with pipeline files, and runs nothing.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::config::{self, Loaded};

const EXAMPLES: &str = "\
Examples:
  sluicebox validate pipeline.yaml
  sluicebox validate pipelines/ && systemctl reload sluicebox

Exit code: 0 if the files can run, 1 if they cannot, 2 if the command line is wrong.";

/// Check pipeline files: every problem, with its file, line and mend
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Pipeline files, or folders of them (*.yaml, *.yml)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let Some(loaded) = load(&self.paths) else { return Ok(Outcome::Problems) };
        let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        println!("ok: {}, {}", count(loaded.files.len(), "file"), count(loaded.spec.pipelines.len(), "pipeline"));
        Ok(Outcome::Done)
    }
}

/// Reads pipeline files with the process's environment, and prints what is wrong with them. None if they cannot run.
pub(super) fn load(paths: &[PathBuf]) -> Option<Loaded> {
    match config::load(paths, &|name| std::env::var(name).ok()) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                eprintln!("{warning}\n");
            }
            Some(loaded)
        }
        Err(problems) => {
            eprintln!("{problems}");
            None
        }
    }
}
