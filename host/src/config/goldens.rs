//! One mistake a file, with the text that tells it: `tests/config/*.yaml` and `*.txt`.
//! `UPDATE_GOLDENS=1` writes the texts anew.

use std::path::{Path, PathBuf};

use super::load;

/// The only variable that the golden files see.
fn env(name: &str) -> Option<String> {
    (name == "SET_TO_A_WORD").then(|| "word".to_owned())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/config")
}

/// What loading a path tells, with file names as they are in the folder.
fn told(path: PathBuf) -> String {
    let text = match load(&[path], &env) {
        Ok(loaded) => loaded.warnings.iter().map(|w| format!("{w}\n\n")).collect(),
        Err(problems) => format!("{problems}\n"),
    };
    text.replace(&format!("{}/", folder().display()), "")
}

#[test]
fn every_mistake_is_told_with_its_place_and_mend() {
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "yaml") || path.is_dir());
    paths.sort();
    let mut wrong = Vec::new();
    for path in &paths {
        let golden = path.with_extension("txt");
        let told = told(path.clone());
        assert!(!told.trim().is_empty(), "{} holds no mistake", path.display());
        if update {
            std::fs::write(&golden, &told).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", path.display()));
        }
    }
    assert!(paths.len() >= 35, "only {} goldens", paths.len());
    assert!(wrong.is_empty(), "set UPDATE_GOLDENS=1 if these are right:\n{}", wrong.join("\n"));
}
