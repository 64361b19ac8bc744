//! Which plugin a verb is about: a standard one, a file, or a crate.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::plugin::{build, standard};

/// A plugin's bytes and where they are from.
pub struct Subject {
    /// Where from.
    pub origin: Origin,
    /// The `.wasm`.
    pub wasm: Vec<u8>,
}

/// Where a plugin comes from.
pub enum Origin {
    /// The binary.
    Standard,
    /// A file.
    File(PathBuf),
    /// A crate, and what its build left.
    Crate {
        /// The crate's folder.
        folder: PathBuf,
        /// The `.wasm`.
        artifact: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Standard => f.write_str("in this binary"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Crate { artifact, .. } => artifact.display().fmt(f),
        }
    }
}

impl Subject {
    /// What an argument means: as in a pipeline file, a name without `/` or `.wasm` is a standard plugin's; but a
    /// folder or file of that name is taken if there is no such plugin.
    pub fn named(argument: &str) -> anyhow::Result<Subject> {
        if let Some(wasm) = standard::bytes(argument) {
            return Ok(Subject { origin: Origin::Standard, wasm: wasm.to_owned() });
        }
        let path = Path::new(argument);
        if path.is_dir() {
            return Subject::built(path);
        }
        if path.exists() || argument.contains('/') || argument.ends_with(".wasm") {
            let wasm = std::fs::read(path).with_context(|| format!("cannot read {argument}"))?;
            return Ok(Subject { origin: Origin::File(path.to_owned()), wasm });
        }
        let names: Vec<&str> = standard::names().collect();
        anyhow::bail!(
            "there is no standard plugin `{argument}` (they are: {}), nor a file or folder of that name",
            names.join(", ")
        )
    }

    /// Builds the crate in `folder`.
    pub fn built(folder: &Path) -> anyhow::Result<Subject> {
        let built = build::build_crate(folder)?;
        let origin = Origin::Crate { folder: folder.to_owned(), artifact: built.artifact };
        Ok(Subject { origin, wasm: built.wasm })
    }

    /// The config to try the plugin with, if none is given: its crate's `config.json`.
    pub fn own_config(&self) -> Option<PathBuf> {
        match &self.origin {
            Origin::Crate { folder, .. } => Some(folder.join("config.json")).filter(|path| path.is_file()),
            Origin::Standard | Origin::File(_) => None,
        }
    }
}
