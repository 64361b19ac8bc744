//! `sluicebox plugin test`: a crate's own tests, then its `.wasm` in the host.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::report::{self, Trial};
use super::subject::Subject;
use crate::cli::Outcome;
use crate::data::Signal;
use crate::plugin::{Engine, Plugin, toolchain};

const EXAMPLES: &str = "\
Examples:
  sluicebox plugin test
  sluicebox plugin test plugins/drop-probes --config strict.json";

/// Run a plugin crate's tests, then load its .wasm in this host and hand it a config
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Test {
    /// Folder of the crate
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,

    /// JSON file with a config that the plugin must take [default: the crate's config.json, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Signal of the pipeline that it is configured for: traces, metrics or logs
    #[arg(long, value_name = "SIGNAL", default_value = "traces", value_parser = report::signal)]
    signal: Signal,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        if !natively(&self.folder)? {
            return Ok(Outcome::Problems);
        }
        let built = Subject::built(&self.folder)?;
        let plugin = Plugin::load(&Engine::new()?, &built.wasm).with_context(|| built.origin.to_string())?;
        let about = plugin.describe();
        let (name, version, kind) = (&about.name, &about.version, plugin.kind().name());
        println!("{name} {version} ({kind}, {}) builds and loads", report::size(plugin.file_bytes()));
        let Some(file) = self.config.or_else(|| built.own_config()) else { return Ok(Outcome::Done) };
        match report::configure(&plugin, report::read_config(&file)?, self.signal)? {
            Trial::Taken(_) => println!("{name} takes {}", file.display()),
            Trial::Refused(reason) => {
                eprintln!("error: {name} refuses {}: {reason}", file.display());
                return Ok(Outcome::Problems);
            }
        }
        Ok(Outcome::Done)
    }
}

/// Runs `cargo test` with our own terminal; whether it passed.
fn natively(folder: &Path) -> anyhow::Result<bool> {
    anyhow::ensure!(
        folder.join("Cargo.toml").is_file(),
        "{} holds no Cargo.toml: name the folder of a plugin crate",
        folder.display()
    );
    let status = toolchain::cargo(folder).arg("test").status().context("cannot run cargo")?;
    Ok(status.success())
}
