//! `sluicebox bench`: for those who want to know what an installation takes.

mod load;
mod sink;
mod values;

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  sluicebox bench sink --listen 127.0.0.1:14317        A backend that counts and forgets
  sluicebox run pipeline.yaml                          What is to be sized, sending to it
  sluicebox bench load http://127.0.0.1:4317           As much as it takes, for ten seconds
  sluicebox bench load http://127.0.0.1:4317 --rate 50000 --duration 1m";

/// Size an installation: send load, count what arrives
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Bench {
    Load(Box<load::Load>),
    Sink(sink::Sink),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Bench::Load(load) => load.run(),
            Bench::Sink(sink) => sink.run(),
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn told_to_end() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
