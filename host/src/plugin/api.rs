//! The versions of the plugin interface that this host speaks. One module a version; a released one is frozen.

pub(super) mod v0_1;

/// The package of the interface.
pub const PACKAGE: &str = "sluicebox:plugin";

/// The version that this host speaks, in full.
pub const VERSION: &str = "0.1.0";

/// Whether plugins built for that version can be run: every release of 0.1.
pub fn speaks(version: &str) -> bool {
    let mut parts = version.splitn(3, '.');
    parts.next() == Some("0") && parts.next() == Some("1")
}

/// The version of an interface of the package, if the name is one: `sluicebox:plugin/filter@0.1.0`.
pub fn version_of(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@').map(|(_, version)| version)
}

/// The full name of an interface of the package.
pub fn interface(name: &str) -> String {
    format!("{PACKAGE}/{name}@{VERSION}")
}
