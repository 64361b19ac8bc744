//! The standard plugins: built with the host and carried by its binary, so that one file is a working installation.

/// Name and `.wasm` of each, sorted by name; made by the build script from `plugins/`.
static PLUGINS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/standard.rs"));

/// Their names, sorted: what a pipeline file's `plugin:` may say without a path.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    PLUGINS.iter().map(|(name, _)| *name)
}

/// The core module of a standard plugin.
pub fn bytes(name: &str) -> Option<&'static [u8]> {
    PLUGINS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
