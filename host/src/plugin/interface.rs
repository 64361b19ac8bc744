//! What a plugin file imports and exports by name, and how that differs from what this host speaks.

use std::fmt;

use wasmparser::{Parser, Payload};

use super::{Kind, api};
use crate::config::spec::Grant;

/// The names that a component imports and exports at its top.
#[derive(Debug, Default)]
pub(super) struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// A component's interface, known to fit.
#[derive(Debug)]
pub(super) struct Interface {
    /// Which of the three it is.
    pub kind: Kind,
    /// What it imports.
    pub imports: Vec<Import>,
}

/// Something that a plugin imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Import {
    /// The log, which is always there.
    Log,
    /// A host import that the pipeline file has to grant.
    Granted(Grant),
    /// A WASI interface, by its full name: there only with `empty_wasi`.
    Wasi(String),
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Import::Log => f.write_str("log"),
            Import::Granted(grant) => f.write_str(grant.name()),
            Import::Wasi(name) => f.write_str(name),
        }
    }
}

/// How a plugin's interface differs from the host's.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// It was built for another version of the interface.
    #[error(
        "built for {}@{found}, this host speaks {}@{}; rebuild the plugin with sluicebox-plugin 0.1",
        api::PACKAGE,
        api::PACKAGE,
        api::VERSION
    )]
    Version {
        /// The version that it was built for.
        found: String,
    },
    /// It lacks exports, or imports what no host of this version has.
    #[error("not a plugin for this host: {}", lacks(.exports, .imports))]
    Names {
        /// Interfaces that it would have to export.
        exports: Vec<String>,
        /// Imports that the host does not have.
        imports: Vec<String>,
    },
    /// It exports more than one kind.
    #[error("the plugin exports {}: a plugin is of one kind", .0.iter().map(Kind::name).collect::<Vec<_>>().join(" and "))]
    Kinds(Vec<Kind>),
    /// A name fits, its type does not.
    #[error("the plugin's interface is not that of {package}@{version}: {0}", package = api::PACKAGE, version = api::VERSION)]
    Types(String),
}

fn lacks(exports: &[String], imports: &[String]) -> String {
    let mut parts = Vec::new();
    if !exports.is_empty() {
        parts.push(format!("it does not export {}", exports.join(", ")));
    }
    if !imports.is_empty() {
        parts.push(format!("it imports {}, which the host does not have", imports.join(", ")));
    }
    parts.join("; ")
}

impl Interface {
    /// Compares a component's names with the host's; what does not fit is told all at once.
    pub fn check(names: &Names) -> Result<Interface, Mismatch> {
        let all = names.imports.iter().chain(&names.exports);
        if let Some(found) = all.filter_map(|name| api::version_of(name)).find(|found| !api::speaks(found)) {
            return Err(Mismatch::Version { found: found.to_owned() });
        }
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| names.exports(kind.name())).collect();
        let mut missing = Vec::new();
        if !names.exports("lifecycle") {
            missing.push(api::interface("lifecycle"));
        }
        if kinds.is_empty() {
            missing.push(format!("one of {}", Kind::ALL.map(|kind| api::interface(kind.name())).join(", ")));
        }
        let (imports, unknown) = sort_imports(&names.imports);
        match kinds[..] {
            [kind] if missing.is_empty() && unknown.is_empty() => Ok(Interface { kind, imports }),
            [_, _, ..] => Err(Mismatch::Kinds(kinds)),
            _ => Err(Mismatch::Names { exports: missing, imports: unknown }),
        }
    }
}

impl Names {
    fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| is_interface(name, interface))
    }
}

/// Whether a name is that interface of the package, in any version.
fn is_interface(name: &str, interface: &str) -> bool {
    let rest = name.strip_prefix(api::PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| rest.split_once('@').is_some_and(|(found, _)| found == interface))
}

fn sort_imports(names: &[String]) -> (Vec<Import>, Vec<String>) {
    let (mut imports, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let grant = Grant::ALL.into_iter().find(|grant| is_interface(name, grant.name()));
        match grant {
            Some(grant) => imports.push(Import::Granted(grant)),
            None if is_interface(name, "log") => imports.push(Import::Log),
            None if is_interface(name, "types") => {}
            None if name.starts_with("wasi:") => imports.push(Import::Wasi(name.clone())),
            None => unknown.push(name.clone()),
        }
    }
    (imports, unknown)
}

/// Reads the names at the top of a valid component.
pub(super) fn names(component: &[u8]) -> Result<Names, wasmparser::BinaryReaderError> {
    let mut names = Names::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Lists what a core module imports from other than component interfaces: no host could link it.
pub(super) fn check_core_imports(module: &[u8]) -> Result<(), super::LoadError> {
    let broken = |error: wasmparser::BinaryReaderError| super::LoadError::Broken(error.to_string());
    let mut unknown = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ImportSection(section) = payload.map_err(broken)? else { continue };
        for import in section.into_imports() {
            let import = import.map_err(broken)?;
            // `[export]…` and `$root` are the canonical ABI's own.
            if !import.module.contains(':') && !import.module.starts_with(['[', '$']) {
                unknown.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Mismatch::Names { exports: Vec::new(), imports: unknown }.into()) }
}
