//! The command line: what can be typed, and what each verb does.
//!
//! Exit codes: 0 done, 1 something is wrong (a problem in a pipeline file, a plugin that does not build), 2 the
//! command line itself is wrong. Results go to standard output; problems, errors and the log to standard error.

mod bench;
mod plugin;
mod queue;
mod run;
mod schema;
mod validate;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};

use crate::plugin::compiler;
use crate::telemetry::logging::{self, LogFormat, LogOptions};

/// `-V` prints the first line, `--version` all of it.
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\nplugin interface sluicebox:plugin@0.1.0");

const EXAMPLES: &str = "\
Examples:
  sluicebox run pipeline.yaml                  Run the pipelines of a file; reload when it changes
  sluicebox validate pipelines/                Check every file of a folder
  sluicebox plugin new drop-probes             Write a plugin
  sluicebox plugin inspect drop                See what a plugin reads, and what config it takes
  sluicebox queue inspect ./var/backend        See what waits in a durable queue

Environment:
  SLUICEBOX_LOG  What is logged, instead of -v and -q: `warn,sluicebox::plugin=debug`
  RUST_LOG       The same, if SLUICEBOX_LOG is not set
  NO_COLOR       Set to anything: no colours";

/// A programmable OTLP pipeline: receive, run sandboxed WebAssembly plugins, export
#[derive(Debug, Parser)]
#[command(name = "sluicebox", version, long_version = LONG_VERSION, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,

    // The orders put these behind the flags of every verb, however many of those there are.
    /// Log more: -v debug, -vv trace
    #[arg(short, long, global = true, display_order = 900, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Log less: -q warnings, -qq errors, -qqq nothing
    #[arg(short, long, global = true, display_order = 901, action = ArgAction::Count)]
    quiet: u8,

    /// How log lines look: text or json
    #[arg(
        long,
        global = true,
        display_order = 902,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Validate(validate::Validate),
    Schema(schema::Schema),
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    #[command(subcommand)]
    Queue(queue::Queue),
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Compile the WebAssembly at standard input; `run` starts it
    #[command(name = compiler::VERB, hide = true)]
    CompilePlugin,
}

/// How a verb ended that did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// Something is wrong with what it was given; it has said what.
    Problems,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Problems => ExitCode::from(1),
        }
    }
}

impl Cli {
    /// Sets up the log and does what the verb says.
    ///
    /// # Errors
    /// Why it could not be done: to be printed, as nothing has said it yet.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let steps = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        let verbosity = steps(self.verbose).saturating_sub(steps(self.quiet));
        logging::init(LogOptions { format: self.log_format, verbosity })?;
        match self.verb {
            Verb::Run(run) => run.run(),
            Verb::Validate(validate) => validate.run(),
            Verb::Schema(schema) => schema.run(),
            Verb::Plugin(plugin) => plugin.run(),
            Verb::Queue(queue) => queue.run(),
            Verb::Bench(bench) => bench.run(),
            Verb::CompilePlugin => {
                compiler::compile(std::io::stdin().lock(), std::io::stdout().lock())?;
                Ok(Outcome::Done)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn log_flags_count_after_the_verb_too() {
        let cli = Cli::parse_from(["sluicebox", "run", "a.yaml", "-vv", "--log-format", "json"]);
        assert_eq!((cli.verbose, cli.log_format), (2, LogFormat::Json));
    }
}
