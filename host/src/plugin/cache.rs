//! Compiled code on disk, so that a start does not compile what an earlier one has.
//!
//! Compiled code is run as it is, so whoever can write it can run anything in this process. Hence a folder of the
//! user's own: it must belong to the user that runs the process and be writable by nobody else, and so must each
//! entry; otherwise it is left alone. An entry carries a digest of what follows, so that one that was cut or damaged
//! is compiled anew (F96), and is named after the component's digest and everything that decides what it compiles
//! to: wasmtime's version, its settings, the machine. Entries are bounded in bytes; the ones used longest ago go.
//!
//! Nothing here can keep a plugin from being loaded: without a usable entry it is compiled.

use std::fs::{self, File, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use super::compiler::{self, Compiler};
use super::component::Digest;

/// Names the folder; `none` or nothing behind it: no cache.
pub const VARIABLE: &str = "SLUICEBOX_CACHE_DIR";
/// What an entry begins with; the number is that of this layout.
const MAGIC: &[u8; 8] = b"sluice\0\x01";
/// Bytes of a digest.
const DIGEST: usize = 32;
/// Bytes of all entries; a plugin takes one to four MiB.
const BYTES_MAX: u64 = 256 << 20;
/// Write permission of others than the owner.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A folder of compiled code. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CodeCache(Option<Arc<Folder>>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    owner: u32,
    /// Distinguishes files that are being written at once.
    writes: AtomicU64,
}

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it cannot be used")]
    Io(#[from] io::Error),
    #[error("it belongs to another user")]
    Foreign,
    #[error("others may write to it; `chmod go-w` mends that")]
    Open,
}

impl CodeCache {
    /// No cache: everything is compiled.
    pub fn none() -> CodeCache {
        CodeCache(None)
    }

    /// The folder that the environment names: `SLUICEBOX_CACHE_DIR`, else `sluicebox` in `XDG_CACHE_HOME`, else
    /// in `~/.cache`. None of them: no cache. One that cannot be trusted is left alone, with a warning.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> CodeCache {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = match variable(VARIABLE) {
            Some(named) if named.is_empty() || named == "none" => return CodeCache::none(),
            Some(named) => PathBuf::from(named),
            None => match (set("XDG_CACHE_HOME"), set("HOME")) {
                (Some(caches), _) => Path::new(&caches).join("sluicebox"),
                (None, Some(home)) => Path::new(&home).join(".cache/sluicebox"),
                (None, None) => return CodeCache::none(),
            },
        };
        CodeCache::open(&path)
    }

    /// A cache in this folder, which is made if it is not there.
    pub fn open(path: &Path) -> CodeCache {
        match Folder::open(path) {
            Ok(folder) => CodeCache(Some(Arc::new(folder))),
            Err(why) => {
                let path = path.display();
                tracing::warn!("plugins are compiled at every start, since the cache {path} is not used: {why}");
                CodeCache::none()
            }
        }
    }

    /// The component of `binary`: as it was compiled earlier, or compiled now.
    pub(super) fn component(
        &self,
        engine: &wasmtime::Engine,
        compiler: &Compiler,
        binary: &[u8],
    ) -> wasmtime::Result<Component> {
        let Some(folder) = &self.0 else { return compiler.component(engine, binary) };
        let name = entry_name(engine, binary);
        if let Some(component) = folder.read(&name).and_then(|entry| compiler::revive(engine, entry.code())) {
            return Ok(component);
        }
        let component = compiler.component(engine, binary)?;
        // Code that cannot be kept was compiled all the same.
        if let Err(error) = component.serialize().map_err(io::Error::other).and_then(|code| folder.write(&name, &code))
        {
            tracing::debug!("compiled code was not kept: {error:#}");
        }
        Ok(component)
    }
}

/// An entry that is whole.
struct Entry(Vec<u8>);

impl Entry {
    /// None if it was damaged.
    fn of(bytes: Vec<u8>) -> Option<Entry> {
        let (digest, code) = bytes.strip_prefix(MAGIC)?.split_at_checked(DIGEST)?;
        (Sha256::digest(code).as_slice() == digest).then_some(Entry(bytes))
    }

    fn code(&self) -> &[u8] {
        self.0.get(MAGIC.len() + DIGEST..).unwrap_or_default()
    }
}

/// What decides what a component compiles to, as the name of a file.
fn entry_name(engine: &wasmtime::Engine, binary: &[u8]) -> String {
    let mut settings = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let settings: [u8; DIGEST] = settings.0.finalize().into();
    let settings = u64::from_le_bytes(settings.first_chunk().copied().unwrap_or_default());
    format!("{}-{settings:016x}.code", Digest::of(binary))
}

/// SHA-256 behind the standard library's hashing: the names of entries must not change from build to build.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let digest: [u8; DIGEST] = self.0.clone().finalize().into();
        u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl Folder {
    fn open(path: &Path) -> Result<Folder, Unusable> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let folder = Folder { path: path.to_owned(), owner: 0, writes: AtomicU64::new(0) };
        // Who we are is who owns what we make.
        let probe = folder.beside("probe");
        let owner = private(&probe)?.metadata()?.uid();
        fs::remove_file(&probe)?;
        let found = fs::metadata(path)?;
        match () {
            () if found.uid() != owner || !found.is_dir() => Err(Unusable::Foreign),
            () if found.permissions().mode() & WRITABLE_BY_OTHERS != 0 => Err(Unusable::Open),
            () => Ok(Folder { owner, ..folder }),
        }
    }

    /// A name that nobody else uses.
    fn beside(&self, name: &str) -> PathBuf {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!(".{name}.{}.{write}", std::process::id()))
    }

    /// An entry that is whole and nobody else's.
    fn read(&self, name: &str) -> Option<Entry> {
        let path = self.path.join(name);
        let found = fs::symlink_metadata(&path).ok()?;
        let trusted = found.is_file()
            && found.uid() == self.owner
            && found.permissions().mode() & WRITABLE_BY_OTHERS == 0
            && found.len() <= BYTES_MAX;
        let entry = Entry::of(trusted.then(|| fs::read(&path).ok()).flatten()?);
        if entry.is_none() {
            tracing::warn!("compiled code in {} is damaged; the plugin is compiled again", path.display());
            return None;
        }
        // The ones used longest ago go first.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        entry
    }

    fn write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        let unfinished = self.beside(name);
        let mut file = private(&unfinished)?;
        let written = file
            .write_all(MAGIC)
            .and_then(|()| file.write_all(&Sha256::digest(code)))
            .and_then(|()| file.write_all(code))
            .and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        self.forget_the_oldest();
        written
    }

    /// Keeps the entries within [`BYTES_MAX`].
    fn forget_the_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.metadata().ok().map(|found| (found, entry.path())))
            .filter(|(found, _)| found.is_file())
            .map(|(found, path)| (found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len(), path))
            .collect();
        entries.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut bytes = 0;
        for (_, len, path) in entries {
            bytes += len;
            if bytes > BYTES_MAX {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// A new file that only we can read and write.
fn private(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::testing::engine;
    use tempfile::TempDir;

    fn component(number: u32) -> Vec<u8> {
        format!("(component (core module (func (result i32) i32.const {number})))").into_bytes()
    }

    fn compiled(cache: &CodeCache, number: u32) {
        let binary = wat::parse_bytes(&component(number)).unwrap().into_owned();
        cache.component(engine().wasm(), &Compiler::Here, &binary).unwrap();
    }

    fn entries(folder: &TempDir) -> Vec<PathBuf> {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    }

    #[test]
    fn code_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path());
        compiled(&cache, 1);
        let [entry] = &entries(&folder)[..] else { panic!("one entry") };
        let written = fs::metadata(entry).unwrap().ino();
        compiled(&cache, 1);
        compiled(&CodeCache::open(folder.path()), 1);
        assert_eq!(fs::metadata(entry).unwrap().ino(), written, "a hit writes nothing");
        compiled(&cache, 2);
        assert_eq!(entries(&folder).len(), 2);
    }

    #[test]
    fn f96_a_poisoned_cache_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path());
        compiled(&cache, 1);
        let [entry] = &entries(&folder)[..] else { panic!("one entry") };
        let good = fs::read(entry).unwrap();
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        let middle = good.len() / 2;
        for bad in [vec![], good[..middle].to_vec(), flipped(0), flipped(20), flipped(middle), vec![0; good.len()]] {
            fs::write(entry, bad).unwrap();
            compiled(&cache, 1);
            assert_eq!(fs::read(entry).unwrap(), good, "it is compiled and kept again");
        }
    }

    #[test]
    fn f96_code_that_others_may_write_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path());
        compiled(&cache, 1);
        let [entry] = &entries(&folder)[..] else { panic!("one entry") };
        let written = fs::metadata(entry).unwrap().ino();
        fs::set_permissions(entry, Permissions::from_mode(0o666)).unwrap();
        compiled(&cache, 1);
        let found = fs::metadata(entry).unwrap();
        assert_ne!(found.ino(), written, "it is replaced, not read");
        assert_eq!(found.permissions().mode() & 0o777, 0o600);

        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(CodeCache::open(folder.path()).0.is_none());
    }

    #[test]
    fn the_environment_names_the_folder_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let of = |set: &[(&str, &str)]| {
            let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
            CodeCache::of_environment(variable).0.map(|folder| folder.path.clone())
        };
        assert_eq!(of(&[("HOME", &home)]), Some(folder.path().join(".cache/sluicebox")));
        assert_eq!(of(&[("HOME", "/nowhere"), ("XDG_CACHE_HOME", &home)]), Some(folder.path().join("sluicebox")));
        assert_eq!(of(&[("HOME", "/nowhere"), (VARIABLE, &home)]), Some(folder.path().to_owned()));
        assert_eq!(of(&[("HOME", &home), (VARIABLE, "none")]), None);
        assert_eq!(of(&[]), None);
    }
}
