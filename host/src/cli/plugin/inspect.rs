//! `sluicebox plugin inspect`: everything that a plugin says of itself.

use std::fmt::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::report::{self, Trial};
use super::subject::Subject;
use crate::cli::Outcome;
use crate::data::Signal;
use crate::plugin::{Engine, Plugin, api};

const EXAMPLES: &str = "\
Examples:
  sluicebox plugin inspect drop
  sluicebox plugin inspect ./drop-probes --signal logs
  sluicebox plugin inspect their.wasm --config config.json --format json

Which fields a plugin reads and writes can depend on its config.";

/// Tell a plugin's kind, version, fields, config schema, imports and size
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// A .wasm file, a standard plugin's name, or the folder of a plugin crate (which is built)
    plugin: String,

    /// JSON file with the config to ask with [default: the crate's config.json, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Signal of the pipeline to ask for: traces, metrics or logs
    #[arg(long, value_name = "SIGNAL", default_value = "traces", value_parser = report::signal)]
    signal: Signal,

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
#[derive(Serialize)]
struct Findings {
    name: String,
    version: String,
    summary: String,
    kind: &'static str,
    interface: String,
    origin: String,
    bytes: usize,
    sha256: String,
    imports: Vec<String>,
    signal: Signal,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    config_schema: Value,
}

#[derive(Serialize)]
struct Fields {
    reads: Vec<String>,
    writes: Vec<String>,
    reasons: Vec<String>,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let subject = Subject::named(&self.plugin)?;
        let plugin = Plugin::load(&Engine::new()?, &subject.wasm).with_context(|| self.plugin.clone())?;
        let file = self.config.clone().or_else(|| subject.own_config());
        let config = file.as_deref().map(report::read_config).transpose()?.unwrap_or(Value::Null);
        let trial = report::configure(&plugin, config, self.signal)?;
        let findings = Findings::of(&plugin, subject.origin.to_string(), self.signal, trial);
        match self.format {
            Format::Text => print!("{findings}"),
            Format::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
        }
        // A config that was given and refused is a problem; none at all is a question without an answer.
        let refused = file.is_some() && findings.refusal.is_some();
        Ok(if refused { Outcome::Problems } else { Outcome::Done })
    }
}

impl Findings {
    fn of(plugin: &Plugin, origin: String, signal: Signal, trial: Trial) -> Findings {
        let about = plugin.describe();
        let (fields, refusal) = match trial {
            Trial::Taken(plan) => {
                (Some(Fields { reads: plan.reads, writes: plan.writes, reasons: plan.reasons }), None)
            }
            Trial::Refused(reason) => (None, Some(reason)),
        };
        Findings {
            name: about.name.clone(),
            version: about.version.clone(),
            summary: about.summary.clone(),
            kind: plugin.kind().name(),
            interface: format!("{}@{}", api::PACKAGE, api::VERSION),
            origin,
            bytes: plugin.file_bytes(),
            sha256: plugin.digest().to_string(),
            imports: plugin.imports().iter().map(ToString::to_string).collect(),
            signal,
            fields,
            refusal,
            config_schema: serde_json::from_str(&about.config_schema)
                .unwrap_or_else(|_| Value::String(about.config_schema.clone())),
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} ({})", self.name, self.version, self.kind)?;
        if !self.summary.is_empty() {
            writeln!(f, "{}", self.summary)?;
        }
        writeln!(f)?;
        writeln!(f, "file       {} ({})", self.origin, report::size(self.bytes))?;
        writeln!(f, "sha256     {}", self.sha256)?;
        writeln!(f, "interface  {}", self.interface)?;
        writeln!(f, "imports    {}", listed(&self.imports))?;
        match (&self.fields, &self.refusal) {
            (Some(fields), _) => fields.write(f, self.signal)?,
            (None, Some(refusal)) => {
                writeln!(f, "fields     not known: it refuses the config ({refusal}); give one with --config FILE")?;
            }
            (None, None) => {}
        }
        let schema = serde_json::to_string_pretty(&self.config_schema).map_err(|_| fmt::Error)?;
        let mut indented = String::new();
        schema.lines().try_for_each(|line| writeln!(indented, "  {line}"))?;
        write!(f, "\nconfig schema\n{indented}")
    }
}

impl Fields {
    fn write(&self, f: &mut fmt::Formatter<'_>, signal: Signal) -> fmt::Result {
        writeln!(f, "reads      {} (of {signal})", listed(&self.reads))?;
        if !self.writes.is_empty() {
            writeln!(f, "writes     {}", listed(&self.writes))?;
        }
        if !self.reasons.is_empty() {
            writeln!(f, "reasons    {}", listed(&self.reasons))?;
        }
        Ok(())
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
