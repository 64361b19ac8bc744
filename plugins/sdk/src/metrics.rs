//! The plugin's own metrics, shown on `/metrics` with the stage's labels. A plugin that calls these needs the
//! grant `metrics`.
//!
//! Names are of the form `[a-z][a-z0-9_]*`, at most 64 bytes; the host bounds their number.
//! In native tests they are collected, for [`testing::counter`](crate::testing) to read.

/// Adds to the counter `sluicebox_plugin_<name>_total`.
pub fn count(name: &str, value: u64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::metrics::count(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::imports::count(name, value);
}

/// Adds an observation to the histogram `sluicebox_plugin_<name>`.
pub fn observe(name: &str, value: f64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::metrics::observe(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::imports::observe(name, value);
}
