//! The guests of `tests/guests` as `.wasm` files, built once a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The core module of a guest: `misbehaves`, `edits` or `samples`.
pub fn guest(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let file = BUILT.get_or_init(build).join(format!("guest_{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    sluicebox::plugin::toolchain::ensure_target(root, |line| eprintln!("{line}")).unwrap();
    let mut cargo = sluicebox::plugin::toolchain::wasm_cargo(root);
    build_of(&mut cargo);
    let status = cargo.status().unwrap();
    assert!(status.success(), "the guests in tests/guests do not build");
    root.join("target/wasm/wasm32-unknown-unknown/plugin")
}

/// The folder is the one that the library's tests build them in.
fn build_of(cargo: &mut Command) {
    cargo.args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-unknown-unknown"]);
    cargo.args(["--target-dir", "target/wasm"]);
    cargo.args(["misbehaves", "edits", "samples"].map(|guest| format!("-pguest-{guest}")));
}

/// The bytes, with each occurrence of a text replaced by one of the same length.
pub fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "no {from}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}
