//! What is watched, and which files and folders that means at this moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of one set, at most; a set is pipelines and the sources of a few plugins.
pub(super) const FILES_MAX: usize = 10_000;
/// Levels of folders below a crate's `src`, at most.
const DEPTH_MAX: usize = 32;

/// What is watched: everything that generations are built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// Pipeline files and `.wasm` files. One that is not there yet is watched for.
    pub files: Vec<PathBuf>,
    /// Folders of pipeline files: a `*.yaml` or `*.yml` that appears in one is a change too.
    pub dirs: Vec<PathBuf>,
    /// Folders of plugin crates: `Cargo.toml`, `build.rs` and everything under `src`.
    pub crates: Vec<PathBuf>,
}

/// The files and folders of a set at one moment.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Files whose content counts. Those that are named in the set are here even if they do not exist.
    pub files: BTreeSet<PathBuf>,
    /// Folders in which something may happen to them.
    pub folders: BTreeSet<PathBuf>,
    /// There are more files than [`FILES_MAX`]; the rest is not watched.
    pub cut: bool,
}

impl WatchSet {
    /// Lists the places of this moment.
    pub(super) fn places(&self) -> Places {
        let mut places = Places::default();
        for file in &self.files {
            places.add_file(file.clone());
        }
        for dir in &self.dirs {
            places.add_pipeline_folder(dir);
        }
        for folder in &self.crates {
            places.add_file(folder.join("Cargo.toml"));
            places.add_file_if_there(folder.join("build.rs"));
            places.add_sources(&folder.join("src"), 0);
        }
        places
    }
}

impl Places {
    /// A file and the folders that tell of it: the one that its path names, and the one that it really lies in.
    fn add_file(&mut self, file: PathBuf) {
        if self.files.len() >= FILES_MAX {
            self.cut = true;
            return;
        }
        self.folders.extend(parent(&file));
        if let Ok(real) = fs::canonicalize(&file) {
            self.folders.extend(parent(&real));
        }
        self.files.insert(file);
    }

    fn add_file_if_there(&mut self, file: PathBuf) {
        if file.exists() {
            self.add_file(file);
        }
    }

    fn add_pipeline_folder(&mut self, dir: &Path) {
        self.folders.insert(dir.to_owned());
        self.folders.extend(parent(dir));
        for path in entries(dir) {
            let yaml = path.extension().is_some_and(|x| x == "yaml" || x == "yml");
            if yaml && !is_temporary(&path) && !path.is_dir() {
                self.add_file(path);
            }
        }
    }

    fn add_sources(&mut self, dir: &Path, depth: usize) {
        if depth > DEPTH_MAX || self.cut {
            self.cut = true;
            return;
        }
        self.folders.insert(dir.to_owned());
        for path in entries(dir) {
            // A linked folder is not followed: it may lead back here.
            let is_link = fs::symlink_metadata(&path).is_ok_and(|x| x.is_symlink());
            match (path.is_dir(), is_link) {
                _ if is_temporary(&path) => {}
                (true, true) => {}
                (true, false) if path.file_name().is_some_and(|x| x == "target") => {}
                (true, false) => self.add_sources(&path, depth + 1),
                (false, _) => self.add_file(path),
            }
        }
    }
}

/// The folder that a path names its file in.
fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

/// What lies in a folder; nothing if it cannot be read.
fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().take(FILES_MAX).filter_map(|entry| Some(entry.ok()?.path()))
}

/// What editors and tools leave for a moment: swap files, backups, hidden files, vim's `4913`.
fn is_temporary(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|x| x.to_str()) else {
        return true;
    };
    let suffixes = ["~", ".swp", ".swx", ".tmp", ".bak", ".orig"];
    name.starts_with(['.', '#']) || name == "4913" || suffixes.iter().any(|x| name.ends_with(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_its_manifest_and_its_sources() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["src/rules", "target/debug", "src/target", ".git"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let all = [
            "Cargo.toml",
            "src/lib.rs",
            "src/rules/a.rs",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "src/4913",
            "target/debug/x.rs",
            "src/target/y.rs",
            ".git/HEAD",
            "Cargo.lock",
            "README.md",
        ];
        for file in all {
            fs::write(at(file), "x").unwrap();
        }
        let set = WatchSet { crates: vec![dir.path().to_owned()], ..WatchSet::default() };
        let expected = ["Cargo.toml", "src/lib.rs", "src/rules/a.rs"].map(at);
        assert_eq!(set.places().files, BTreeSet::from(expected));
    }

    #[test]
    #[cfg(unix)]
    fn a_linked_file_is_watched_where_it_is_named_and_where_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("real")).unwrap();
        fs::write(root.join("real/p.yaml"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("real/p.yaml"), root.join("p.yaml")).unwrap();
        let set = WatchSet { files: vec![root.join("p.yaml")], ..WatchSet::default() };
        assert_eq!(set.places().folders, BTreeSet::from([root.clone(), root.join("real")]));
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_links_to_itself_ends() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("src"), dir.path().join("src/again")).unwrap();
        let set = WatchSet { crates: vec![dir.path().to_owned()], ..WatchSet::default() };
        assert_eq!(set.places().files.len(), 1);
    }
}
