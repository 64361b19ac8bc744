//! Plugins that fail, contained: what they fail on, what they cost, and what is told of what they dropped.

mod audit;
mod faults;
mod poison;
mod recycling;
mod runaway;

use std::path::Path;

use tempfile::TempDir;

use crate::plugins::guests::guest;

/// A folder with a pipeline file and a guest.
fn folder(pipeline: &str, guests: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    for name in guests {
        std::fs::write(folder.path().join(format!("{name}.wasm")), guest(name)).unwrap();
    }
    folder
}

/// The lines of a file as JSON.
fn json_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
