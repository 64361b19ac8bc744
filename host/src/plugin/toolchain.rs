//! The Rust toolchain as plugins need it: a cargo that is free of what a surrounding cargo passes on, and the
//! WebAssembly target.
//!
//! The build script (`host/build.rs`) includes this file too, for the standard plugins. So it uses nothing but the
//! standard library.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The target of every plugin: a library for it imports what its world names and nothing else.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What a surrounding cargo, or an environment that is meant for native code, must not pass on: flags for another
/// target, the wrapper that makes `cargo clippy` of `cargo build`.
const NOT_INHERITED: [&str; 6] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
];

/// What plugins are compiled with: vectors of 16 bytes, which every WebAssembly engine of today has. The host's own is
/// no exception, so nothing is asked of the machine; scans of text are several times as fast with them.
const FLAGS: (&str, &str) = ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128");

/// Why plugins cannot be built on this machine.
#[derive(Debug)]
pub enum ToolchainError {
    /// A program of the toolchain could not be started.
    Program {
        /// Which one.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// rustc does not answer.
    Rustc {
        /// What it says instead.
        stderr: String,
    },
    /// The target is missing, and rustup could not add it.
    Target {
        /// What rustup says; empty if there is no rustup.
        stderr: String,
    },
}

impl fmt::Display for ToolchainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToolchainError::Program { name, .. } => {
                write!(f, "cannot run `{name}`, which builds plugins: install Rust with rustup (https://rustup.rs)")
            }
            ToolchainError::Rustc { stderr } => write!(f, "rustc does not answer: {}", stderr.trim()),
            ToolchainError::Target { stderr } if stderr.is_empty() => write!(
                f,
                "the Rust target {TARGET} is missing and there is no rustup to add it: install the package of your \
                 system that brings Rust's standard library for it"
            ),
            ToolchainError::Target { stderr } => {
                write!(
                    f,
                    "the Rust target {TARGET} is missing and `rustup target add {TARGET}` failed: {}",
                    stderr.trim()
                )
            }
        }
    }
}

impl std::error::Error for ToolchainError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ToolchainError::Program { source, .. } => Some(source),
            ToolchainError::Rustc { .. } | ToolchainError::Target { .. } => None,
        }
    }
}

/// cargo, to be run in `folder`: the one that runs us, if one does.
pub fn cargo(folder: &Path) -> Command {
    let mut command = program("CARGO", "cargo", folder);
    command.stdin(Stdio::null());
    command
}

/// cargo that compiles for [`TARGET`], with `simd128` and without what is meant for native code.
pub fn wasm_cargo(folder: &Path) -> Command {
    let mut command = cargo(folder);
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    // Whoever sets flags for this very target means them.
    let (variable, flags) = FLAGS;
    if std::env::var_os(variable).is_none() {
        command.env(variable, flags);
    }
    command
}

/// A program of the toolchain, as the environment names it or by its own name.
fn program(variable: &str, name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| OsString::from(name)));
    command.current_dir(folder);
    command
}

/// Sees to it that plugins can be compiled in `folder`: where the target is missing, rustup is asked to add it, and
/// `say` is told first, as that takes a download.
pub fn ensure_target(folder: &Path, say: impl FnOnce(&str)) -> Result<(), ToolchainError> {
    if has_target(folder)? {
        return Ok(());
    }
    say(&format!("the Rust target {TARGET} is missing: running `rustup target add {TARGET}`"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(folder).output();
    match added {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(ToolchainError::Target { stderr: String::from_utf8_lossy(&output.stderr).into_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ToolchainError::Target { stderr: String::new() }),
        Err(source) => Err(ToolchainError::Program { name: "rustup".to_owned(), source }),
    }
}

/// Whether the standard library for the target is there. Asked of rustc, not of rustup: a system without rustup may
/// have it all the same.
fn has_target(folder: &Path) -> Result<bool, ToolchainError> {
    let output = program("RUSTC", "rustc", folder)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|source| ToolchainError::Program { name: "rustc".to_owned(), source })?;
    if !output.status.success() {
        return Err(ToolchainError::Rustc { stderr: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}
