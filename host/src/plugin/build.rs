//! From a plugin crate's folder to its `.wasm`: cargo, asked for the one library that the folder's package makes.
//!
//! Blocking, and as slow as a compiler: never on the data path. The build has a target directory of its own
//! (`sluicebox` in the crate's), so that it never waits for the lock of an editor's `cargo check`.

mod crates;
mod output;

use std::path::{Path, PathBuf};

use super::toolchain::{self, ToolchainError};
use crates::Package;

/// A plugin that was built.
#[derive(Debug)]
pub struct BuiltPlugin {
    /// The core module.
    pub wasm: Vec<u8>,
    /// Where cargo left it.
    pub artifact: PathBuf,
    /// The files that it was made from: when one changes, it is to be built again.
    pub sources: Vec<PathBuf>,
}

/// Why a folder gave no plugin.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The toolchain is not there.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The folder holds no crate.
    #[error("{} holds no Cargo.toml: name the folder of a plugin crate (`sluicebox plugin new` makes one)", .0.display())]
    NoCrate(PathBuf),
    /// cargo does not understand the crate.
    #[error("cargo cannot read the crate in {}:\n{stderr}", folder.display())]
    Metadata {
        /// The crate.
        folder: PathBuf,
        /// What cargo says.
        stderr: String,
    },
    /// The crate makes no `.wasm`.
    #[error("the crate in {} makes no plugin: add `crate-type = [\"cdylib\", \"rlib\"]` to [lib] in its Cargo.toml", .0.display())]
    NotCdylib(PathBuf),
    /// The compiler, or cargo, refused.
    #[error("the plugin in {} does not compile:\n{errors}", folder.display())]
    Compile {
        /// The crate.
        folder: PathBuf,
        /// What the compiler says, cut to a bounded length.
        errors: String,
    },
    /// What was built cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The artifact.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Builds the crate in `folder`, a package of its own or a member of a workspace, and reads what came of it. Where the
/// WebAssembly target is missing it is added, and the log says so.
pub fn build_crate(folder: &Path) -> Result<BuiltPlugin, BuildError> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    if !folder.join("Cargo.toml").is_file() {
        return Err(BuildError::NoCrate(folder));
    }
    toolchain::ensure_target(&folder, |line| tracing::info!("{line}"))?;
    let package = Package::read(&folder)?;
    if !package.makes_cdylib {
        return Err(BuildError::NotCdylib(folder));
    }
    let artifact = compile(&folder, &package)?;
    let wasm = std::fs::read(&artifact).map_err(|source| BuildError::Read { path: artifact.clone(), source })?;
    let mut sources = package.sources();
    sources.extend(output::dependencies(&artifact.with_extension("d")));
    sources.sort();
    sources.dedup();
    Ok(BuiltPlugin { wasm, artifact, sources })
}

/// The files that the plugin in `folder` is made from, also while it does not compile: what [`BuiltPlugin::sources`]
/// holds, but for files that only the compiler knows of.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    match Package::read(&folder) {
        Ok(package) => package.sources(),
        Err(_) => crates::sources_of(&folder),
    }
}

/// Runs `cargo build` and answers with the path of the `.wasm`.
fn compile(folder: &Path, package: &Package) -> Result<PathBuf, BuildError> {
    let mut cargo = toolchain::wasm_cargo(folder);
    cargo
        .args(["build", "--release", "--lib", "--message-format", "json", "--target", toolchain::TARGET])
        .args(["--package", &package.id])
        .arg("--target-dir")
        .arg(package.target_directory.join("sluicebox"));
    let outcome = output::run(cargo, &package.id)
        .map_err(|source| ToolchainError::Program { name: "cargo".to_owned(), source })?;
    match outcome.wasm {
        Some(wasm) if outcome.success => Ok(wasm),
        _ => Err(BuildError::Compile { folder: folder.to_owned(), errors: outcome.errors }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate that needs nothing but the compiler, so that these tests are quick and offline.
    fn crate_of(library: &str, kind: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "[package]\nname = \"a-plugin\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [{kind}]\n[workspace]\n"
        );
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/lib.rs"), library).unwrap();
        folder
    }

    #[test]
    fn a_crate_becomes_wasm_and_tells_its_sources() {
        let folder = crate_of("pub const TEXT: &str = include_str!(\"../greeting.txt\");", "\"cdylib\", \"rlib\"");
        std::fs::write(folder.path().join("greeting.txt"), "hello").unwrap();
        let built = build_crate(folder.path()).unwrap();
        assert_eq!(&built.wasm[..4], b"\0asm");
        for name in ["Cargo.toml", "Cargo.lock", "src/lib.rs", "greeting.txt"] {
            let path = folder.path().join(name).canonicalize().unwrap();
            assert!(
                built.sources.iter().any(|s| s.canonicalize().is_ok_and(|s| s == path)),
                "{name}: {:?}",
                built.sources
            );
        }
    }

    #[test]
    fn what_the_compiler_says_is_told_and_bounded() {
        let functions = (0..2000).map(|n| format!("pub fn f{n}() -> u32 {{ \"no number\" }}\n"));
        let folder = crate_of(&functions.collect::<String>(), "\"cdylib\"");
        let error = build_crate(folder.path()).unwrap_err().to_string();
        assert!(error.contains("error[E0308]: mismatched types"), "{error}");
        assert!(error.contains("src/lib.rs:1:"), "{error}");
        assert!(error.len() < 40_000, "{} bytes", error.len());
        assert!(sources(folder.path()).iter().any(|path| path.ends_with("src/lib.rs")));
    }

    #[test]
    fn a_library_that_is_no_cdylib_says_what_to_add() {
        let folder = crate_of("", "\"rlib\"");
        assert!(matches!(build_crate(folder.path()), Err(BuildError::NotCdylib(_))));
    }

    #[test]
    fn a_folder_without_a_crate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(build_crate(folder.path()), Err(BuildError::NoCrate(path)) if path == folder.path()));
    }

    #[test]
    fn a_manifest_that_is_no_toml_shows_what_cargo_says() {
        let folder = crate_of("", "\"cdylib\"");
        std::fs::write(folder.path().join("Cargo.toml"), "[package").unwrap();
        let error = build_crate(folder.path()).unwrap_err();
        assert!(matches!(&error, BuildError::Metadata { stderr, .. } if stderr.contains("Cargo.toml")), "{error}");
        assert!(!sources(folder.path()).is_empty());
    }
}
