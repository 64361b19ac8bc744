//! The standard plugins: built with the host and carried by its binary, so that one file is a working installation.

/// Name and `.wasm` of each, sorted by name; made by the build script from `plugins/`.
static PLUGINS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/standard.rs"));

/// Their names, sorted: what a pipeline file's `plugin:` may say without a path.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    PLUGINS.iter().map(|(name, _)| *name)
}

/// The core module of a standard plugin.
pub fn bytes(name: &str) -> Option<&'static [u8]> {
    all().find(|(known, _)| *known == name).map(|(_, bytes)| bytes)
}

/// Name and core module of each, sorted by name.
pub fn all() -> impl ExactSizeIterator<Item = (&'static str, &'static [u8])> {
    PLUGINS.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_carries_the_plugins_that_pipeline_files_may_name() {
        assert_eq!(names().collect::<Vec<_>>(), crate::config::STANDARD_PLUGINS);
        assert!(all().all(|(name, wasm)| wasm.starts_with(b"\0asm") && bytes(name) == Some(wasm)));
        assert_eq!(bytes("none"), None);
    }
}
