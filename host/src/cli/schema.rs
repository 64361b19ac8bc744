//! `sluicebox schema`: the JSON Schema of pipeline files, for editors.

use anyhow::Context;
use clap::Args;

use super::Outcome;
use crate::config::{self, PluginSchema};
use crate::plugin::{Engine, Plugin, standard};

const EXAMPLES: &str = "\
Examples:
  sluicebox schema > sluicebox.schema.json

Then an editor with the YAML language server completes and checks a file that begins with
  # yaml-language-server: $schema=sluicebox.schema.json";

/// Print the JSON Schema of pipeline files, standard plugins' config included
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Schema {}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let schema = config::schema(&standard_schemas()?);
        println!("{}", serde_json::to_string_pretty(&schema)?);
        Ok(Outcome::Done)
    }
}

/// Asks each standard plugin what config it takes.
fn standard_schemas() -> anyhow::Result<Vec<PluginSchema>> {
    let engine = Engine::new()?;
    let mut schemas = Vec::new();
    for (name, bytes) in standard::all() {
        let plugin = Plugin::load(&engine, bytes).with_context(|| format!("standard plugin `{name}`"))?;
        let config_schema = serde_json::from_str(&plugin.describe().config_schema)
            .with_context(|| format!("standard plugin `{name}` carries a config schema that is not JSON"))?;
        schemas.push(PluginSchema { name: name.to_owned(), config_schema });
    }
    Ok(schemas)
}
