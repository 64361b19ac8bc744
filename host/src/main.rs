//! The binary: parses the command line, runs what it says, prints what went wrong.

use std::process::ExitCode;

use clap::Parser;
use sluicebox::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
