//! `sluicebox queue`: for those who look after durable queues.

mod drain;
mod export;
mod inspect;

use clap::Subcommand;

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  sluicebox queue inspect ./var/backend
  sluicebox queue export ./var/backend --to left.jsonl
  sluicebox queue drain ./var/backend --endpoint http://other:4317

A queue is the folder that a pipeline file names: `queue: { durable: ./var/backend }`.";

/// Look into durable queues, copy and empty them
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Queue {
    Inspect(inspect::Inspect),
    Export(export::Export),
    Drain(drain::Drain),
}

impl Queue {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Queue::Inspect(inspect) => inspect.run(),
            Queue::Export(export) => export.run(),
            Queue::Drain(drain) => drain.run(),
        }
    }
}

/// `1 entry`, `2 entries`.
fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

/// `1 record`, `2 records`.
fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}
