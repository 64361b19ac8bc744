//! `sluicebox queue export`: what is in a durable queue, as OTLP JSON lines.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{entries, records};
use crate::cli::Outcome;
use crate::data::json;
use crate::queue::view::{Sight, View};

const EXAMPLES: &str = "\
Examples:
  sluicebox queue export ./var/backend --to left.jsonl
  sluicebox queue export ./var/backend --to - | gzip > left.jsonl.gz

One request a line, as the `file` exporter writes and the `replay` receiver reads them. The queue is
left as it is; it may be in use, and read-only. Exits with 1 if a part of the queue cannot be read:
the rest is written.";

/// Copy what a durable queue holds to a file of OTLP JSON lines
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Folder of the queue
    dir: PathBuf,

    /// File to write, which must not exist; `-` is standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    /// What was delivered too, as far as it is still there
    #[arg(long)]
    all: bool,
}

/// What was met.
#[derive(Default)]
struct Count {
    entries: u64,
    records: u64,
    unreadable: u64,
    strange: u64,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let view = View::open(&self.dir)?;
        let mut out = open(&self.to)?;
        let count = self.write(&view, &mut out).with_context(|| format!("cannot write `{}`", self.to.display()))?;
        eprintln!("exported {} with {}", entries(count.entries), records(count.records));
        if count.unreadable > 0 {
            eprintln!("{} bytes of the queue cannot be read", count.unreadable);
        }
        if count.strange > 0 {
            eprintln!("{} are not OTLP and were left out", entries(count.strange));
        }
        let is_sound = count.unreadable == 0 && count.strange == 0;
        Ok(if is_sound { Outcome::Done } else { Outcome::Problems })
    }

    fn write(&self, view: &View, out: &mut dyn Write) -> io::Result<Count> {
        let mut count = Count::default();
        let mut line = Vec::new();
        view.visit(|sight| {
            let seen = match sight {
                Sight::Unreadable(bytes) => {
                    count.unreadable += bytes;
                    return Ok(());
                }
                Sight::Entry(seen) if seen.done && !self.all => return Ok(()),
                Sight::Entry(seen) => seen,
            };
            line.clear();
            if json::encode(seen.payload.signal, &seen.payload.bytes, &mut line).is_err() {
                count.strange += 1;
                return Ok(());
            }
            line.push(b'\n');
            count.entries += 1;
            count.records += seen.payload.records;
            out.write_all(&line)
        })?;
        out.flush()?;
        Ok(count)
    }
}

fn open(to: &Path) -> anyhow::Result<Box<dyn Write>> {
    if to == Path::new("-") {
        return Ok(Box::new(BufWriter::new(io::stdout().lock())));
    }
    let file = OpenOptions::new().write(true).create_new(true).open(to);
    let file = file.with_context(|| format!("cannot make the file `{}`; name one that is not there", to.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
