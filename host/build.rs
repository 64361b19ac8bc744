//! Makes the binary a whole installation: builds the standard plugins for WebAssembly and embeds them, and embeds
//! the sources of the SDK, from which `sluicebox plugin new` makes crates that build anywhere.

use std::path::{Path, PathBuf};

#[path = "build/sdk.rs"]
mod sdk;
#[path = "build/standard.rs"]
mod standard;
#[path = "src/plugin/toolchain.rs"]
mod toolchain;

fn main() {
    if let Err(error) = embed() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
    }
}

fn embed() -> Result<(), Box<dyn std::error::Error>> {
    let host = PathBuf::from(env("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env("OUT_DIR")?);
    let root = host.parent().ok_or("the host crate lies in no workspace")?;
    for input in ["plugins", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    for input in ["build.rs", "build", "src/plugin/toolchain.rs"] {
        println!("cargo::rerun-if-changed={}", host.join(input).display());
    }
    standard::embed(root, &out)?;
    sdk::embed(root, &out)
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: cargo runs this program, people do not"))
}

/// Writes a generated file. One that is the same already stays as it is: what includes it is not compiled again.
fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    std::fs::write(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
