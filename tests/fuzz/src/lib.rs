//! What the fuzz targets check, as functions of any bytes, so that `cargo test` replays the corpora through them on any
//! toolchain (`tests/corpora.rs`), while libFuzzer (`targets/`, feature `libfuzzer`) looks for new inputs.
//!
//! A check panics where the bytes break a promise, not only where the code itself panics.

pub mod answers;
pub mod config;
pub mod edits;
pub mod frames;
pub mod inflate;
mod input;
pub mod json;
mod model;
pub mod walk;

/// A fuzz target: its name, also that of its corpus, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("answers", answers::check),
    ("config", config::check),
    ("edits", edits::check),
    ("frames", frames::check),
    ("inflate", inflate::check),
    ("json", json::check),
    ("walk", walk::check),
];
