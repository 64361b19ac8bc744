//! New plugin crates: complete, tested, and buildable in any folder, because the SDK comes along as a copy.

mod name;
mod template;

use std::io;
use std::path::{Path, PathBuf};

pub use name::{BadName, Name};

use crate::plugin::Kind;

/// The SDK and the plugin interface, as paths below the copy and their contents; made by the build script.
static SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where the copy lies in a crate.
const SDK_FOLDER: &str = "vendor/sluicebox-plugin";

/// A crate to be made.
#[derive(Clone, Debug)]
pub struct Scaffold {
    /// Name of the crate and of the plugin.
    pub name: Name,
    /// What the plugin does with a record.
    pub kind: Kind,
}

/// Why a crate was not made.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// There is something already.
    #[error("{} is there already and not empty: nothing was written; name another folder with --path", .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Scaffold {
    /// Writes the crate into `folder`, which is made if it is not there and has to be empty if it is.
    pub fn write(&self, folder: &Path) -> Result<(), ScaffoldError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ScaffoldError::Write { path, source }
        };
        if !is_vacant(folder).map_err(failed(folder))? {
            return Err(ScaffoldError::NotEmpty(folder.to_owned()));
        }
        for (path, content) in self.files() {
            let path = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
            std::fs::write(&path, content).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// The crate's files: paths below its folder, and contents.
    fn files(&self) -> impl Iterator<Item = (String, String)> {
        let sdk = SDK.iter().map(|(path, content)| (format!("{SDK_FOLDER}/{path}"), (*content).to_owned()));
        template::files(self.name.as_str(), self.kind).chain(sdk)
    }
}

/// Whether nothing is there, or an empty folder.
fn is_vacant(folder: &Path) -> io::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaffold(kind: Kind) -> Scaffold {
        Scaffold { name: "my-plugin".parse().unwrap(), kind }
    }

    #[test]
    fn every_kind_has_all_files_and_no_placeholder_is_left() {
        for kind in Kind::ALL {
            let folder = tempfile::tempdir().unwrap();
            scaffold(kind).write(&folder.path().join("deep/er")).unwrap();
            for name in ["Cargo.toml", "README.md", ".gitignore", "pipeline.yaml", "config.json", "src/lib.rs"] {
                let text = std::fs::read_to_string(folder.path().join("deep/er").join(name)).unwrap();
                assert!(!text.contains("{{") && !text.contains("}}"), "{name} of a {}", kind.name());
            }
        }
    }

    #[test]
    fn the_copy_of_the_sdk_has_the_interface_and_the_derives() {
        for path in ["Cargo.toml", "src/lib.rs", "derive/Cargo.toml", "derive/src/lib.rs", "wit/worlds.wit"] {
            assert!(SDK.iter().any(|(known, content)| *known == path && !content.is_empty()), "{path}");
        }
    }

    #[test]
    fn the_pipeline_file_is_valid() {
        for kind in Kind::ALL {
            let folder = tempfile::tempdir().unwrap();
            scaffold(kind).write(folder.path()).unwrap();
            let loaded = crate::config::load(&[folder.path().join("pipeline.yaml")], &|_| None);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
            let stage = &loaded.spec.processors["my-plugin"];
            let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
            assert_eq!(stage.config, serde_json::from_str::<serde_json::Value>(&config).unwrap());
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("thesis.txt");
        std::fs::write(&precious, "x").unwrap();
        let error = scaffold(Kind::Filter).write(folder.path()).unwrap_err();
        assert!(matches!(error, ScaffoldError::NotEmpty(_)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(scaffold(Kind::Filter).write(&precious), Err(ScaffoldError::NotEmpty(_))));
    }
}
