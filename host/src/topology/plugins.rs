//! Plugins from their sources to compiled code, each content once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::config::spec::PluginSource;
use crate::plugin::build::{self, build_crate};
use crate::plugin::{Digest, Engine, LoadError, Plugin, standard};

/// Compiled plugins by their content, so that a reload compiles only what changed.
pub(super) struct Plugins {
    engine: Engine,
    compiled: Mutex<HashMap<Digest, Plugin>>,
}

/// A plugin that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceFault {
    #[error("there is no standard plugin `{0}`; the binary carries {names}", names = standard::names().collect::<Vec<_>>().join(", "))]
    Standard(String),
    #[error("cannot read plugin file {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot build the plugin crate in {}", .folder.display())]
    Build {
        folder: PathBuf,
        #[source]
        source: build::BuildError,
    },
    #[error("cannot load the plugin")]
    Load(#[from] LoadError),
    #[error("loading the plugin was interrupted")]
    Interrupted,
}

impl Plugins {
    pub(super) fn new(engine: Engine) -> Plugins {
        Plugins { engine, compiled: Mutex::new(HashMap::new()) }
    }

    /// Reads or builds, checks and compiles a plugin. Blocks: not for a thread with a runtime on it.
    pub(super) fn load(&self, source: &PluginSource) -> Result<Plugin, SourceFault> {
        match source {
            PluginSource::Standard(name) => {
                let bytes = standard::bytes(name).ok_or_else(|| SourceFault::Standard(name.clone()))?;
                self.compile(bytes)
            }
            PluginSource::File(path) => self.compile(&read(path)?),
            PluginSource::Crate(folder) => {
                let built =
                    build_crate(folder).map_err(|source| SourceFault::Build { folder: folder.clone(), source })?;
                self.compile(&built.wasm)
            }
        }
    }

    fn compile(&self, bytes: &[u8]) -> Result<Plugin, SourceFault> {
        let digest = Digest::of(bytes);
        if let Some(plugin) = self.compiled.lock().get(&digest) {
            return Ok(plugin.clone());
        }
        let plugin = Plugin::load(&self.engine, bytes)?;
        self.compiled.lock().insert(digest, plugin.clone());
        Ok(plugin)
    }

    /// Forgets compiled code that a generation does not use: called when it has taken over.
    pub(super) fn retain<'a>(&self, used: impl Iterator<Item = &'a Digest> + Clone) {
        self.compiled.lock().retain(|digest, _| used.clone().any(|used| used == digest));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SourceFault> {
    std::fs::read(path).map_err(|source| SourceFault::Read { path: path.to_owned(), source })
}
