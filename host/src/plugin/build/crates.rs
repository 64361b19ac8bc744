//! What cargo knows of a plugin crate: its package, its local dependencies, where it builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::BuildError;
use super::output::tail;
use crate::plugin::toolchain::{self, ToolchainError};

/// Files of one crate that are watched at most.
const SOURCES_MAX: usize = 4096;
/// Levels of folders that are looked into.
const DEPTH_MAX: usize = 16;
/// Bytes of cargo's complaint that are kept.
const COMPLAINT_BYTES_MAX: usize = 8 << 10;

/// The package of a folder.
#[derive(Debug)]
pub(super) struct Package {
    /// As cargo names it in its messages.
    pub id: String,
    /// Whether its library can become a `.wasm`.
    pub makes_cdylib: bool,
    /// Where its workspace builds.
    pub target_directory: PathBuf,
    /// The folder of its workspace, itself if it is alone.
    workspace: PathBuf,
    /// Its folder and those of the local crates that it is built with.
    folders: BTreeSet<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    resolve: Resolve,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    /// None for a package that lies in a folder of this machine.
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Package {
    /// Asks cargo about the crate in `folder`.
    pub fn read(folder: &Path) -> Result<Package, BuildError> {
        let mut cargo = toolchain::wasm_cargo(folder);
        let output = cargo
            .args(["metadata", "--format-version", "1", "--filter-platform", toolchain::TARGET])
            .output()
            .map_err(|source| ToolchainError::Program { name: "cargo".to_owned(), source })?;
        let unreadable = |stderr: &str| BuildError::Metadata {
            folder: folder.to_owned(),
            stderr: tail(stderr.trim(), COMPLAINT_BYTES_MAX).to_owned(),
        };
        if !output.status.success() {
            return Err(unreadable(&String::from_utf8_lossy(&output.stderr)));
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(|error| unreadable(&error.to_string()))?;
        Package::of(metadata, folder).ok_or_else(|| unreadable("it is a workspace without a package of its own"))
    }

    fn of(metadata: Metadata, folder: &Path) -> Option<Package> {
        let manifest = folder.join("Cargo.toml").canonicalize().ok()?;
        let is_it = |package: &&MetadataPackage| package.manifest_path.canonicalize().is_ok_and(|p| p == manifest);
        let package = metadata.packages.iter().find(is_it)?;
        let makes_cdylib = package.targets.iter().any(|target| target.crate_types.iter().any(|t| t == "cdylib"));
        let folders = local_folders(&metadata, &package.id);
        let id = package.id.clone();
        Some(Package {
            id,
            makes_cdylib,
            folders,
            target_directory: metadata.target_directory,
            workspace: metadata.workspace_root,
        })
    }

    /// The files that it is built from.
    pub fn sources(&self) -> Vec<PathBuf> {
        let shared = ["Cargo.toml", "Cargo.lock"].map(|name| self.workspace.join(name));
        let mut sources: Vec<PathBuf> = shared.into_iter().filter(|path| path.is_file()).collect();
        sources.extend(self.folders.iter().flat_map(|folder| sources_of(folder)));
        sources.sort();
        sources.dedup();
        sources
    }
}

/// The folders of a package and of all local packages that it depends on, over any number of steps.
fn local_folders(metadata: &Metadata, id: &str) -> BTreeSet<PathBuf> {
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut reached = BTreeSet::from([id]);
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.dependencies);
        open.extend(dependencies.map(String::as_str).filter(|dependency| reached.insert(dependency)));
    }
    let local = metadata.packages.iter().filter(|package| package.source.is_none());
    local
        .filter(|package| reached.contains(package.id.as_str()))
        .filter_map(|package| package.manifest_path.parent().map(Path::to_owned))
        .collect()
}

/// The files of one crate's folder that cargo builds from by convention.
pub(super) fn sources_of(folder: &Path) -> Vec<PathBuf> {
    let files = ["Cargo.toml", "build.rs"].map(|name| folder.join(name));
    let mut sources: Vec<PathBuf> = files.into_iter().filter(|path| path.is_file()).collect();
    collect(&folder.join("src"), DEPTH_MAX, &mut sources);
    sources
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if files.len() >= SOURCES_MAX {
            return;
        }
        if path.is_dir() {
            collect(&path, deeper, files);
        } else {
            files.push(path);
        }
    }
}
