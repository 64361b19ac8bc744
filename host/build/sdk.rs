//! Writes the table of the SDK's sources: what a plugin crate needs that is made outside this repository.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a copy does not need.
const LEFT_OUT: [&str; 5] = ["target", "tests", "benches", "examples", "Cargo.lock"];
/// More nesting than this is a symbolic link in a circle.
const DEPTH_MAX: usize = 8;

/// Writes `sdk.rs`: `&[(path below the copy, content)]`, sorted by path. The interface comes as its folder `wit`.
pub fn embed(root: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let sdk = root.join("plugins/sdk");
    let mut files = Vec::new();
    collect(&sdk, "", DEPTH_MAX, &mut files)?;
    // In the repository `wit` is a link, which not every system checks out as one.
    files.retain(|(path, _)| path != "wit" && !path.starts_with("wit/"));
    if !files.is_empty() {
        collect(&root.join("wit/v0.1"), "wit/", DEPTH_MAX, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (path, file) in &files {
        writeln!(table, "    ({path:?}, include_str!({file:?})),")?;
    }
    table.push_str("]\n");
    Ok(crate::write(&out.join("sdk.rs"), table.as_bytes())?)
}

/// Adds the files below `folder`, named `prefix` and their path below it.
fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(format!("{} is nested too deep", folder.display()).into());
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is no file name of the SDK"))?;
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), deeper, files)?;
        } else {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}
