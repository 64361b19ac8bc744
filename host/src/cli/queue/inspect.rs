//! `sluicebox queue inspect`: what is in a durable queue.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{entries, records};
use crate::admin::timestamp::rfc3339;
use crate::cli::Outcome;
use crate::data::Signal;
use crate::queue::Tally;
use crate::queue::cursor::Marked;
use crate::queue::segment::VERSION;
use crate::queue::tally::Tallies;
use crate::queue::view::{Sight, View};

const EXAMPLES: &str = "\
Examples:
  sluicebox queue inspect ./var/backend
  sluicebox queue inspect ./var/backend --format json

Everything is read, and nothing changed: it works beside a running sluicebox, and on a copy that
cannot be written. Exits with 1 if a part of the queue cannot be read.";

/// Tell what a durable queue holds, how old it is, and whether it is sound
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// Folder of the queue
    dir: PathBuf,

    /// How the answer looks: text or json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What is told, in this order.
#[derive(Debug, Serialize)]
struct Findings {
    format: u32,
    in_use: bool,
    segments: usize,
    disk_bytes: u64,
    undelivered: Tally,
    undelivered_by_signal: BTreeMap<Signal, Tally>,
    delivered: Tally,
    oldest: Option<String>,
    newest: Option<String>,
    cursor: Cursor,
    unreadable_places: u64,
    unreadable_bytes: u64,
    quarantined_files: usize,
    quarantined_bytes: u64,
}

/// What the cursor says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Cursor {
    /// Everything below `low` is delivered, and so are the ranges beyond it.
    Sound { low: u64, ranges_beyond: usize },
    /// Everything counts as undelivered.
    Missing,
    /// The same.
    Damaged,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let findings = Findings::of(&View::open(&self.dir)?)?;
        match self.format {
            Format::Text => print!("{findings}"),
            Format::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
        }
        let is_sound = findings.unreadable_places == 0 && !matches!(findings.cursor, Cursor::Damaged);
        Ok(if is_sound { Outcome::Done } else { Outcome::Problems })
    }
}

impl Findings {
    fn of(view: &View) -> std::io::Result<Self> {
        let (mut undelivered, mut delivered) = (Tallies::default(), Tally::default());
        let (mut oldest, mut newest) = (None::<u64>, None::<u64>);
        let (mut unreadable_places, mut unreadable_bytes) = (0, 0);
        view.visit(|sight| {
            match sight {
                Sight::Unreadable(bytes) => {
                    unreadable_places += 1;
                    unreadable_bytes += bytes;
                }
                Sight::Entry(seen) => {
                    let bytes = seen.payload.bytes.len() as u64;
                    let tally = Tally { entries: 1, records: seen.payload.records, bytes };
                    if seen.done {
                        delivered += tally;
                    } else {
                        undelivered.add(seen.payload.signal, tally);
                        oldest = Some(oldest.map_or(seen.enqueued_ms, |oldest| oldest.min(seen.enqueued_ms)));
                        newest = newest.max(Some(seen.enqueued_ms));
                    }
                }
            }
            Ok(())
        })?;
        let (segments, disk_bytes) = view.segments();
        let (quarantined_files, quarantined_bytes) = view.quarantined();
        let time = |ms: u64| rfc3339(UNIX_EPOCH + Duration::from_millis(ms));
        Ok(Findings {
            format: VERSION,
            in_use: view.is_in_use(),
            segments,
            disk_bytes,
            undelivered: undelivered.total(),
            undelivered_by_signal: undelivered.iter().filter(|(_, tally)| tally.entries > 0).collect(),
            delivered,
            oldest: oldest.map(time),
            newest: newest.map(time),
            cursor: match view.cursor() {
                Marked::Sound { done, .. } => Cursor::Sound { low: done.low(), ranges_beyond: done.range_count() },
                Marked::Missing => Cursor::Missing,
                Marked::Damaged | Marked::Newer(_) => Cursor::Damaged,
            },
            unreadable_places,
            unreadable_bytes,
            quarantined_files,
            quarantined_bytes,
        })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, what: &str, text: String| writeln!(f, "{what:<13} {text}");
        let tally =
            |tally: &Tally| format!("{}, {}, {} bytes", entries(tally.entries), records(tally.records), tally.bytes);
        line(f, "format", format!("{}{}", self.format, if self.in_use { ", in use by a process" } else { "" }))?;
        line(f, "on the disk", format!("{} bytes in {} segments", self.disk_bytes, self.segments))?;
        line(f, "undelivered", tally(&self.undelivered))?;
        for (signal, part) in &self.undelivered_by_signal {
            line(f, &format!("  {signal}"), tally(part))?;
        }
        if let (Some(oldest), Some(newest)) = (&self.oldest, &self.newest) {
            line(f, "  taken", format!("from {oldest} to {newest}"))?;
        }
        line(f, "delivered", tally(&self.delivered))?;
        let cursor = match &self.cursor {
            Cursor::Sound { low, ranges_beyond: 0 } => format!("delivered below {low}"),
            Cursor::Sound { low, ranges_beyond } => format!("delivered below {low}, and {ranges_beyond} ranges beyond"),
            Cursor::Missing => "missing: everything counts as undelivered".to_owned(),
            Cursor::Damaged => "damaged: everything counts as undelivered".to_owned(),
        };
        line(f, "cursor", cursor)?;
        line(f, "unreadable", format!("{} places, {} bytes", self.unreadable_places, self.unreadable_bytes))?;
        line(f, "quarantined", format!("{} files, {} bytes", self.quarantined_files, self.quarantined_bytes))
    }
}
