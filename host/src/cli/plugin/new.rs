//! `sluicebox plugin new`: a crate that builds and passes its tests at once.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::Outcome;
use crate::plugin::Kind;
use crate::scaffold::{Name, Scaffold};

const EXAMPLES: &str = "\
Examples:
  sluicebox plugin new drop-probes
  sluicebox plugin new keep-slow --kind sampler
  sluicebox plugin new tenants --kind transform --path ../plugins/tenants";

/// Write a new plugin: a crate with an example, its tests, and a pipeline file that runs it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct New {
    /// Name of the plugin: lower-case letters, digits and `-`
    name: Name,

    /// filter (keeps or drops records), sampler (keeps them with a probability) or transform (changes them)
    #[arg(long, value_enum, default_value_t, value_name = "KIND", hide_possible_values = true)]
    kind: KindArgument,

    /// Folder of the new crate [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// [`Kind`], as an argument with a help of its own.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum KindArgument {
    /// Keeps or drops it
    #[default]
    Filter,
    /// Keeps it with a probability
    Sampler,
    /// Changes it
    Transform,
}

impl From<KindArgument> for Kind {
    fn from(kind: KindArgument) -> Kind {
        match kind {
            KindArgument::Filter => Kind::Filter,
            KindArgument::Sampler => Kind::Sampler,
            KindArgument::Transform => Kind::Transform,
        }
    }
}

impl New {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let folder = self.path.unwrap_or_else(|| PathBuf::from(self.name.as_str()));
        let kind = Kind::from(self.kind);
        Scaffold { name: self.name.clone(), kind }.write(&folder)?;
        println!("{}", next_steps(self.name.as_str(), kind, &folder));
        Ok(Outcome::Done)
    }
}

fn next_steps(name: &str, kind: Kind, folder: &Path) -> String {
    let kind = kind.name();
    let folder = folder.display();
    format!(
        "Wrote the {kind} `{name}` to {folder}.\n\n\
         Next:\n  \
         cd {folder}\n  \
         sluicebox plugin test          # its tests, then its .wasm in the host\n  \
         sluicebox run pipeline.yaml    # see it at work; edit src/lib.rs and save, and it is reloaded"
    )
}
