//! Any bytes as a pipeline file.

use std::path::PathBuf;
use std::sync::OnceLock;

use sluicebox::config;

/// What it says may be as long as this for each byte of the file, and so much more: excerpts repeat lines.
const WORDS_PER_BYTE: usize = 400;
const WORDS: usize = 64 << 10;

/// A file is taken, or there is at least one problem and all of them can be printed.
pub fn check(data: &[u8]) {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let name = format!("sluicebox-fuzz-{}.yaml", std::process::id());
        std::env::temp_dir().join(name)
    });
    std::fs::write(file, data).expect("the temporary folder is writable");
    let env = |name: &str| (name == "SET").then(|| "a\nb: [".to_owned());
    match config::load(std::slice::from_ref(file), &env) {
        Ok(loaded) => {
            assert_eq!(loaded.files.len(), 1);
            drop(config::diff(&loaded.spec, &loaded.spec));
        }
        Err(problems) => {
            let text = problems.to_string();
            assert!(!text.is_empty());
            assert!(text.len() <= WORDS + data.len() * WORDS_PER_BYTE, "{} bytes about {}", text.len(), data.len());
        }
    }
}
