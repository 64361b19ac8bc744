//! The console: a line a batch, a line a record, or everything.
//!
//! Here, and only here, requests are decoded into message structs: it is for eyes, not for speed.

pub mod line;

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;

use super::Frames;
use super::outcome::{Failure, Outcome};
use crate::config::spec::Verbosity;
use crate::data::{Signal, json};

/// Writes what passes to standard output.
#[derive(Debug)]
pub struct DebugExporter {
    verbosity: Verbosity,
}

impl DebugExporter {
    /// An exporter to standard output.
    pub fn stdout(verbosity: Verbosity) -> Self {
        DebugExporter { verbosity }
    }

    /// Prints one batch. A closed pipe is no reason to keep telemetry: the failure is permanent.
    pub fn attempt(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        let text = render(self.verbosity, signal, frames.chunks())?;
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(Outcome::default()),
            Err(error) => Err(Failure::permanent(format!("standard output cannot be written: {error}"))),
        }
    }
}

/// What is printed for the requests of one batch.
pub fn render(verbosity: Verbosity, signal: Signal, requests: &[Bytes]) -> Result<String, Failure> {
    let request = requests.concat();
    let unreadable = |error: &dyn std::fmt::Display| Failure::permanent(format!("the request cannot be read: {error}"));
    let lines = line::of(signal, &request).map_err(|error| unreadable(&error))?;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{signal}: {} {} of {} in {} bytes",
        lines.records.len(),
        noun(signal, lines.records.len()),
        plural(lines.resources, "resource"),
        request.len()
    );
    match verbosity {
        Verbosity::Summary => {}
        Verbosity::Records => lines.records.iter().for_each(|line| {
            let _ = writeln!(out, "  {line}");
        }),
        Verbosity::Detailed => {
            let mut json = Vec::new();
            json::encode(signal, &request, &mut json).map_err(|error| unreadable(&error))?;
            let value: serde_json::Value = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
            let _ = writeln!(out, "{value:#}");
        }
    }
    Ok(out)
}

fn noun(signal: Signal, count: usize) -> &'static str {
    match (signal, count) {
        (Signal::Traces, 1) => "span",
        (Signal::Traces, _) => "spans",
        (Signal::Metrics, 1) => "data point",
        (Signal::Metrics, _) => "data points",
        (Signal::Logs, 1) => "log record",
        (Signal::Logs, _) => "log records",
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests;
