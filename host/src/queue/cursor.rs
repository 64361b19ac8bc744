//! The cursor: what is done with, on the disk.
//!
//! A file of three slots with a checksum each. A slot is written with one call; the newest sound one counts. Of the
//! three, one is known to have survived to the disk and is left alone until another has, so that a power loss which
//! tears what was written since cannot take them all. If there is no sound slot, everything in the segments counts
//! as undelivered: duplicates, but never a loss (F45).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::done::Done;
use super::files::{Access, Files, OpenFile};
use super::frame::chunk;
use super::segment::VERSION;

const MAGIC: [u8; 8] = *b"SLUICEcu";
const SLOTS: u64 = 3;
const SLOT_BYTES: usize = 16 << 10;
const FIXED_BYTES: usize = 36;
const RANGE_BYTES: usize = 16;

/// Ranges beyond these do not fit; their entries would be delivered again after a restart.
const RANGES_MAX: usize = (SLOT_BYTES - FIXED_BYTES) / RANGE_BYTES;

/// The file of a queue's cursor.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("cursor")
}

/// What a cursor's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// This is done.
    Sound {
        /// What is done.
        done: Done,
        /// How many times the cursor was written.
        generation: u64,
        /// Which slot said so.
        slot: u64,
    },
    /// There is no such file.
    Missing,
    /// No slot is sound.
    Damaged,
    /// A later version of Sluicebox wrote it.
    Newer(u32),
}

/// Reads a cursor's file.
pub fn read(files: &dyn Files, path: &Path) -> io::Result<Marked> {
    let file = match files.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Marked::Missing),
        Err(error) => return Err(error),
    };
    let mut best = Marked::Damaged;
    let mut newest = 0;
    let mut buffer = vec![0; SLOT_BYTES];
    for slot in 0..SLOTS {
        let read = file.read_at(&mut buffer, slot * SLOT_BYTES as u64)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if let Some(version) = newer(bytes) {
            return Ok(Marked::Newer(version));
        }
        if let Some((generation, done)) = decode(bytes).filter(|(generation, _)| *generation >= newest) {
            newest = generation;
            best = Marked::Sound { done, generation, slot };
        }
    }
    Ok(best)
}

fn newer(bytes: &[u8]) -> Option<u32> {
    let version = u32::from_le_bytes(chunk(bytes, 8)?);
    (chunk(bytes, 0)? == MAGIC && version > VERSION && version < 1 << 16).then_some(version)
}

fn decode(bytes: &[u8]) -> Option<(u64, Done)> {
    let number = |at| Some(u64::from_le_bytes(chunk(bytes, at)?));
    let count = u32::from_le_bytes(chunk(bytes, 12)?) as usize;
    if chunk(bytes, 0)? != MAGIC || chunk(bytes, 8)? != VERSION.to_le_bytes() || count > RANGES_MAX {
        return None;
    }
    let (checked, rest) = bytes.split_at_checked(FIXED_BYTES - 4 + count * RANGE_BYTES)?;
    if chunk(rest, 0)? != crc32c::crc32c(checked).to_le_bytes() {
        return None;
    }
    let mut done = Done::below(number(24)?);
    for at in (32..checked.len()).step_by(RANGE_BYTES) {
        done.add(number(at)?..number(at + 8)?);
    }
    Some((number(16)?, done))
}

fn encode(done: &Done, generation: u64) -> Vec<u8> {
    let count = done.range_count().min(RANGES_MAX);
    let mut out = Vec::with_capacity(FIXED_BYTES + count * RANGE_BYTES);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend((count as u32).to_le_bytes());
    out.extend(generation.to_le_bytes());
    out.extend(done.low().to_le_bytes());
    for range in done.ranges().take(count) {
        out.extend(range.start.to_le_bytes());
        out.extend(range.end.to_le_bytes());
    }
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

/// The cursor of an open queue.
#[derive(Debug)]
pub struct Cursor {
    file: Arc<dyn OpenFile>,
    generation: u64,
    /// The slot that was written last.
    last: u64,
    /// The slot that is known to be on the disk.
    kept: u64,
    synced: bool,
}

impl Cursor {
    /// Opens the file, or makes it with room for all slots, so that a full disk is no hindrance later.
    pub fn open(files: &dyn Files, path: &Path, marked: &Marked) -> io::Result<Self> {
        let file = match marked {
            Marked::Missing => {
                let file = files.create(path)?;
                file.write_at(&vec![0; SLOT_BYTES * SLOTS as usize], 0)?;
                file.sync()?;
                file
            }
            _ => files.open(path, Access::Write)?,
        };
        let (generation, last) = match marked {
            Marked::Sound { generation, slot, .. } => (*generation, *slot),
            _ => (0, 0),
        };
        Ok(Cursor { file, generation, last, kept: last, synced: false })
    }

    /// Writes down what is done. It survives the end of the process, and with [`Cursor::sync`] a power loss.
    pub fn write(&mut self, done: &Done) -> io::Result<()> {
        let mut slot = (self.last + 1) % SLOTS;
        if slot == self.kept {
            slot = (slot + 1) % SLOTS;
        }
        self.generation += 1;
        self.synced = false;
        self.file.write_at(&encode(done, self.generation), slot * SLOT_BYTES as u64)?;
        self.last = slot;
        Ok(())
    }

    /// Brings what was written to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            self.file.sync()?;
            self.kept = self.last;
            self.synced = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::files::Disk;

    fn done() -> Done {
        let mut done = Done::below(10);
        done.add(12..15);
        done.add(20..21);
        done
    }

    #[test]
    fn the_newest_sound_slot_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        assert_eq!(read(&Disk, &path).unwrap(), Marked::Missing);
        let mut cursor = Cursor::open(&Disk, &path, &Marked::Missing).unwrap();
        assert_eq!(read(&Disk, &path).unwrap(), Marked::Damaged);
        for low in 0..20 {
            cursor.write(&Done::below(low)).unwrap();
        }
        cursor.sync().unwrap();
        cursor.write(&done()).unwrap();
        let Marked::Sound { done: marked, generation: 21, slot } = read(&Disk, &path).unwrap() else { panic!() };
        assert_eq!(marked, done());
        // A torn slot gives way to the one before.
        cursor.file.write_at(&[0xff], slot * SLOT_BYTES as u64 + 20).unwrap();
        let Marked::Sound { done: marked, .. } = read(&Disk, &path).unwrap() else { panic!() };
        assert_eq!(marked, Done::below(19));
    }

    #[test]
    fn the_slot_on_the_disk_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(&Disk, &path(dir.path()), &Marked::Missing).unwrap();
        cursor.write(&Done::below(1)).unwrap();
        cursor.sync().unwrap();
        let kept = cursor.kept;
        for low in 2..20 {
            cursor.write(&Done::below(low)).unwrap();
            assert_ne!(cursor.last, kept);
        }
    }

    #[test]
    fn more_ranges_than_fit_are_left_out_from_the_far_end() {
        let mut done = Done::default();
        (0..2000).for_each(|n| assert!(done.add(10 * n + 1..10 * n + 2)));
        let bytes = encode(&done, 1);
        assert!(bytes.len() <= SLOT_BYTES);
        let (_, marked) = decode(&bytes).unwrap();
        assert_eq!(marked.range_count(), RANGES_MAX);
        assert!(marked.contains(1) && !marked.contains(19_991));
    }
}
