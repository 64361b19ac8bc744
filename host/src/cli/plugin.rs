//! `sluicebox plugin`: for those who write plugins.

mod build;
mod inspect;
mod new;
mod report;
mod subject;
mod test;

use clap::Subcommand;

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  sluicebox plugin new drop-probes && cd drop-probes
  sluicebox plugin test                        Its tests, then its .wasm in the host
  sluicebox run pipeline.yaml                  Now edit src/lib.rs: each save reloads it";

/// Write, build, test and inspect plugins
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Plugin {
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Inspect(inspect::Inspect),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Plugin::New(new) => new.run(),
            Plugin::Build(build) => build.run(),
            Plugin::Test(test) => test.run(),
            Plugin::Inspect(inspect) => inspect.run(),
        }
    }
}
