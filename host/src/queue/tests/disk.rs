//! A disk in memory that loses power, fills up and fails, as disks and their systems are allowed to.
//!
//! What is written is seen at once, but survives a power loss only after a sync: of the file for its bytes, of the
//! directory for its name. At a power loss each write since then is kept, lost, or torn at sectors of 512 bytes,
//! whatever was written before or after it. After a failed sync those writes are lost for good, and what is read may
//! be what was there before them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::queue::files::{Access, Files, Lock, OpenFile};

const SECTOR: usize = 512;

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// As it is read.
    seen: Vec<u8>,
    /// As it was synced.
    kept: Vec<u8>,
    since: Vec<Change>,
}

fn apply(data: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate(size) => data.resize(*size as usize, 0),
        Change::Write(at, bytes) => {
            let (at, end) = (*at as usize, *at as usize + bytes.len());
            data.resize(data.len().max(end), 0);
            data[at..end].copy_from_slice(bytes);
        }
    }
}

impl Content {
    fn after_power_loss(&self, dice: &mut Dice) -> Vec<u8> {
        let mut data = self.kept.clone();
        for change in &self.since {
            match (dice.below(3), change) {
                (0, _) => {}
                (1, _) | (_, Change::Truncate(_)) => apply(&mut data, change),
                (_, Change::Write(at, bytes)) => {
                    for (sector, part) in (0..).zip(bytes.chunks(SECTOR)) {
                        if dice.one_in(2) {
                            apply(&mut data, &Change::Write(at + sector * SECTOR as u64, part.to_vec()));
                        }
                    }
                }
            }
        }
        data
    }
}

type Shared = Arc<Mutex<Content>>;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// So many of the next syncs of segments fail.
    pub syncs: u32,
    /// Bytes that fit on the disk.
    pub capacity: Option<u64>,
    /// Reading segments fails.
    pub reads: bool,
    /// Nothing can be written.
    pub read_only: bool,
}

#[derive(Debug, Default)]
struct World {
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, Shared>,
    kept_names: BTreeMap<PathBuf, Shared>,
    faults: Faults,
    /// The process that used it is gone.
    gone: bool,
    /// Syncs of segments that were begun and that have ended well: the begin of the last of these.
    syncs_begun: u64,
    synced: u64,
    reads: u64,
    locks: BTreeMap<PathBuf, Weak<()>>,
}

#[derive(Clone, Debug, Default)]
pub struct FakeDisk(Arc<Mutex<World>>);

#[derive(Debug)]
struct FakeFile {
    disk: FakeDisk,
    path: PathBuf,
    content: Shared,
}

#[derive(Debug)]
struct FakeLock(#[expect(dead_code, reason = "held, not read")] Arc<()>);

impl Lock for FakeLock {}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl FakeDisk {
    pub fn new(dir: &Path) -> Self {
        let disk = FakeDisk::default();
        disk.0.lock().dirs.insert(dir.to_owned());
        disk
    }

    pub fn set(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// How many syncs of segments have begun, and the number of the last one that ended well.
    pub fn syncs(&self) -> (u64, u64) {
        let world = self.0.lock();
        (world.syncs_begun, world.synced)
    }

    /// Bytes that were read from segments.
    pub fn bytes_read(&self) -> u64 {
        self.0.lock().reads
    }

    /// Ends the process. What it wrote is there.
    pub fn kill(&self) -> FakeDisk {
        self.end(|content| content.lock().seen.clone(), |world| world.names.clone())
    }

    /// Ends everything. What was not synced is there, or not, or in parts.
    pub fn cut_power(&self, dice: &mut Dice) -> FakeDisk {
        let mut names_dice = Dice::new(dice.below(u64::MAX));
        self.end(
            |content| content.lock().after_power_loss(dice),
            |world| {
                let all: BTreeSet<_> = world.names.keys().chain(world.kept_names.keys()).cloned().collect();
                let found = all.into_iter().filter_map(|path| {
                    let (new, old) = (world.names.get(&path), world.kept_names.get(&path));
                    let content = if names_dice.one_in(2) { new } else { old };
                    Some((path, content?.clone()))
                });
                found.collect()
            },
        )
    }

    fn end(
        &self,
        mut data: impl FnMut(&Shared) -> Vec<u8>,
        mut names: impl FnMut(&World) -> BTreeMap<PathBuf, Shared>,
    ) -> FakeDisk {
        let mut world = self.0.lock();
        world.gone = true;
        let fresh = |data: Vec<u8>| Arc::new(Mutex::new(Content { seen: data.clone(), kept: data, since: Vec::new() }));
        let names: BTreeMap<_, _> = names(&world).into_iter().map(|(path, c)| (path, fresh(data(&c)))).collect();
        let kept_names = names.clone();
        FakeDisk(Arc::new(Mutex::new(World { dirs: world.dirs.clone(), names, kept_names, ..World::default() })))
    }

    /// Changes what is in a file, behind everybody's back.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let content = self.0.lock().names[path].clone();
        let mut content = content.lock();
        change(&mut content.seen);
        content.kept = content.seen.clone();
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }

    pub fn content(&self, path: &Path) -> Vec<u8> {
        let content = self.0.lock().names[path].clone();
        let content = content.lock();
        content.seen.clone()
    }

    fn alive(&self) -> io::Result<parking_lot::MutexGuard<'_, World>> {
        let world = self.0.lock();
        if world.gone { Err(gone()) } else { Ok(world) }
    }

    fn writable(&self) -> io::Result<parking_lot::MutexGuard<'_, World>> {
        let world = self.alive()?;
        if world.faults.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(world) }
    }

    fn file(&self, path: &Path, content: Shared) -> Arc<dyn OpenFile> {
        Arc::new(FakeFile { disk: self.clone(), path: path.to_owned(), content })
    }
}

impl FakeFile {
    fn is_segment(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "segment")
    }

    fn change(&self, change: Change) {
        let mut content = self.content.lock();
        apply(&mut content.seen, &change);
        content.since.push(change);
    }
}

impl OpenFile for FakeFile {
    fn size(&self) -> io::Result<u64> {
        let _world = self.disk.alive()?;
        Ok(self.content.lock().seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.disk.alive()?;
        if self.is_segment() {
            if world.faults.reads {
                return Err(io::Error::other("injected: EIO"));
            }
            world.reads += buffer.len() as u64;
        }
        let content = self.content.lock();
        let from = content.seen.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(buffer.len());
        buffer[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let world = self.disk.writable()?;
        let used: u64 = world.names.values().map(|content| content.lock().seen.len() as u64).sum();
        let room = world.faults.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        let size = self.content.lock().seen.len() as u64;
        let fits = size.saturating_sub(offset).saturating_add(room).min(bytes.len() as u64) as usize;
        self.change(Change::Write(offset, bytes[..fits].to_vec()));
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let _world = self.disk.writable()?;
        self.change(Change::Truncate(size));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.writable()?;
        let mut content = self.content.lock();
        if self.is_segment() {
            world.syncs_begun += 1;
            if world.faults.syncs > 0 {
                world.faults.syncs -= 1;
                content.since.clear();
                content.seen = content.kept.clone();
                return Err(io::Error::other("injected: EIO"));
            }
            world.synced = world.syncs_begun;
        }
        content.kept = content.seen.clone();
        content.since.clear();
        Ok(())
    }
}

impl Files for FakeDisk {
    fn is_dir(&self, path: &Path) -> bool {
        self.0.lock().dirs.contains(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.writable()?.dirs.insert(path.to_owned());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.alive()?;
        let inside = world.names.keys().filter_map(|path| path.strip_prefix(dir).ok());
        Ok(inside.map(|name| name.to_str().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        let mut world = self.writable()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Shared::default();
        world.names.insert(path.to_owned(), content.clone());
        drop(world);
        Ok(self.file(path, content))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        let world = if access == Access::Write { self.writable()? } else { self.alive()? };
        let content = world.names.get(path).cloned().ok_or_else(not_found)?;
        drop(world);
        Ok(self.file(path, content))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.writable()?.names.remove(path).map(|_| ()).ok_or_else(not_found)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.writable()?;
        let content = world.names.remove(from).ok_or_else(not_found)?;
        world.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut world = self.writable()?;
        world.kept_names = world.names.clone();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut world = self.writable()?;
        if world.locks.get(path).is_some_and(|lock| lock.strong_count() > 0) {
            return Ok(None);
        }
        let lock = Arc::new(());
        world.locks.insert(path.to_owned(), Arc::downgrade(&lock));
        Ok(Some(Box::new(FakeLock(lock))))
    }
}
