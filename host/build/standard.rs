//! Builds every crate of `plugins/` except the SDK, in one nested cargo, and writes the table of their `.wasm`.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::toolchain;

/// The profile of the workspace that plugins are built with.
const PROFILE: &str = "plugin";
/// What lies in `plugins/` and is not one.
const SDK: &str = "sdk";

/// Builds the standard plugins and writes `standard.rs`: `&[(name, bytes)]`, sorted by name.
pub fn embed(root: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let names = names(&root.join("plugins"));
    let built = if names.is_empty() { PathBuf::new() } else { build(root, out, &names)? };
    let mut table = String::from("&[\n");
    for name in &names {
        let wasm = built.join(format!("sluicebox_{}.wasm", name.replace('-', "_")));
        let bytes = std::fs::read(&wasm).map_err(|error| {
            format!(
                "plugins/{name} made no {}: its package must be `sluicebox-{name}`, a cdylib ({error})",
                wasm.display()
            )
        })?;
        let copy = out.join(format!("{name}.wasm"));
        crate::write(&copy, &bytes)?;
        writeln!(table, "    ({name:?}, include_bytes!({copy:?})),")?;
    }
    table.push_str("]\n");
    Ok(crate::write(&out.join("standard.rs"), table.as_bytes())?)
}

/// The folders that hold a plugin: by their names, as a pipeline file names them.
fn names(plugins: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(plugins) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != SDK)
        .collect();
    names.sort();
    names
}

/// Builds all of them and answers with the folder that holds the `.wasm` files.
fn build(root: &Path, out: &Path, names: &[String]) -> Result<PathBuf, Box<dyn Error>> {
    toolchain::ensure_target(root, |line| println!("cargo::warning={line}"))?;
    // Its own target directory: the cargo that runs this script holds the lock of the usual one.
    // OUT_DIR is <target directory>/<profile>/build/<package>/out.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR lies in no target directory")?.join("wasm");
    let mut cargo = toolchain::wasm_cargo(root);
    cargo.args(["build", "--quiet", "--lib", "--profile", PROFILE, "--target", toolchain::TARGET]);
    cargo.arg("--target-dir").arg(&target);
    for name in names {
        cargo.args(["--package", &format!("sluicebox-{name}")]);
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo for the standard plugins: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the standard plugins ({}) did not build:\n{said}", names.join(", ")).into());
    }
    Ok(target.join(toolchain::TARGET).join(PROFILE))
}
