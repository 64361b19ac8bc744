//! Appending frames to the last segment, all of a group or none.
//!
//! After a failed write what is left of it is cut off, and the segment goes on. After a failed sync the segment is
//! given up: the system may have thrown away what it could not write and called it clean, so that a later sync would
//! prove nothing (F47). What a group has used of sequence numbers is never used again.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::{Files, OpenFile};
use super::frame::Head;
use super::meter::{Act, Meter};
use super::segment::{self, Footer, HEADER_BYTES, Header};
use super::state::{Pending, now_ms};
use super::tally::Tallies;
use crate::data::Payload;

/// Payloads from this size on are written as they are, smaller ones are gathered.
const WHOLE_MIN: usize = 64 << 10;
/// So much is gathered at most.
const GATHERED_MAX: usize = 1 << 20;

/// The segment that is written to.
#[derive(Debug)]
struct Current {
    file: Arc<dyn OpenFile>,
    header: Header,
    /// Where the next frame goes.
    len: u64,
    end: u64,
    newest_ms: u64,
    tallies: Tallies,
    synced: bool,
}

/// What was done to a segment.
#[derive(Debug)]
pub enum Change {
    /// It was begun.
    Begun(Header),
    /// Frames were appended, each with its place.
    Appended(u64, Vec<(Head, u64, Payload)>),
    /// Nothing more comes; the size of the file.
    Sealed(u64, u64),
    /// These sequence numbers were used for nothing.
    Skipped(std::ops::Range<u64>),
}

/// Appends to segments.
#[derive(Debug)]
pub struct Appender {
    files: Arc<dyn Files>,
    dir: PathBuf,
    meter: Arc<Meter>,
    current: Option<Current>,
    next_id: u64,
    next_sequence: u64,
    gathered: Vec<u8>,
    changes: Vec<Change>,
}

impl Appender {
    /// One whose first segment has this number, and its first frame this sequence number.
    pub fn new(files: Arc<dyn Files>, dir: PathBuf, meter: Arc<Meter>, (next_id, next_sequence): (u64, u64)) -> Self {
        let gathered = Vec::new();
        let (current, changes) = (None, Vec::new());
        Appender { files, dir, meter, current, next_id, next_sequence, gathered, changes }
    }

    /// What was done since this was asked last, in order.
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether something was written and not synced.
    pub fn is_dirty(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.synced)
    }

    /// How many of these fit into one segment together, at least one: begins the next segment if this one is full.
    pub fn make_room(&mut self, group: &[Pending], segment_bytes: u64) -> io::Result<usize> {
        let first = group.first().map_or(0, Pending::frame_bytes);
        let is_full = |current: &Current| current.tallies.total().entries > 0 && current.len + first > segment_bytes;
        if self.current.as_ref().is_some_and(is_full) {
            self.seal()?;
        }
        if self.current.is_none() {
            self.begin()?;
        }
        let mut len = self.current.as_ref().map_or(0, |current| current.len);
        let fits = |pending: &&Pending| {
            len += pending.frame_bytes();
            len <= segment_bytes
        };
        Ok(group.iter().take_while(fits).count().max(1))
    }

    /// Appends a group that fits, and brings it to the disk if `sync` says so. After an error nothing of it counts.
    pub fn append(&mut self, group: &[Pending], sync: bool) -> io::Result<()> {
        let first = self.next_sequence;
        self.next_sequence += group.len() as u64;
        let result = self.try_append(group, first, sync);
        if result.is_err() {
            self.changes.push(Change::Skipped(first..self.next_sequence));
        }
        result
    }

    fn try_append(&mut self, group: &[Pending], first: u64, sync: bool) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Err(io::Error::other("there is no segment")) };
        let salt = current.header.salt;
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a request is larger than 4 GiB");
        let mut frames = Vec::with_capacity(group.len());
        let mut at = current.len;
        for (pending, sequence) in group.iter().zip(first..) {
            let head = Head::new(&pending.payload, sequence, pending.enqueued_ms, salt).ok_or_else(too_long)?;
            frames.push((head, at, pending.payload.clone()));
            at += head.frame_bytes();
        }
        let written = write(&*current.file, current.len, salt, &frames, &mut self.gathered);
        if let Err(error) = written {
            self.meter.failed(Act::Write);
            self.take_back();
            return Err(error);
        }
        current.synced = false;
        if sync {
            let synced = current.file.sync();
            self.meter.synced();
            if let Err(error) = synced {
                self.meter.failed(Act::Sync);
                self.take_back();
                self.give_up();
                return Err(error);
            }
            current.synced = true;
        }
        current.len = at;
        for (head, _, _) in &frames {
            current.end = head.sequence + 1;
            current.newest_ms = current.newest_ms.max(head.enqueued_ms);
            current.tallies.add(head.signal, head.tally());
        }
        self.changes.push(Change::Appended(current.header.id, frames));
        Ok(())
    }

    /// Brings what was written to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        let Some(current) = self.current.as_mut().filter(|current| !current.synced) else { return Ok(()) };
        let synced = current.file.sync();
        current.synced = true;
        self.meter.synced();
        if synced.is_err() {
            self.meter.failed(Act::Sync);
            self.give_up();
        }
        synced
    }

    /// Ends the segment with its footer, on the disk.
    pub fn seal(&mut self) -> io::Result<()> {
        self.sync()?;
        let Some(current) = self.current.take() else { return Ok(()) };
        let Current { file, header, len, end, newest_ms, tallies, .. } = current;
        let footer = Footer { header, end, newest_ms, tallies }.encode();
        let sealed = file.write_at(&footer, len).and_then(|()| file.sync());
        let size = if sealed.is_ok() { len + footer.len() as u64 } else { len };
        if let Err(error) = sealed {
            // A start reads the frames instead of the footer.
            self.meter.failed(Act::Write);
            tracing::warn!(exporter = self.meter.exporter(), segment = header.id, "cannot end a segment: {error}");
        }
        self.changes.push(Change::Sealed(header.id, size));
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        let salt = std::hash::RandomState::new().build_hasher().finish() as u32;
        let header = Header { id, salt, first: self.next_sequence, created_ms: now_ms() };
        let path = segment::path(&self.dir, id);
        let begun = self.files.create(&path).and_then(|file| {
            file.write_at(&header.encode(), 0)?;
            file.sync()?;
            self.files.sync_dir(&self.dir)?;
            Ok(file)
        });
        let file = begun.inspect_err(|_| {
            self.meter.failed(Act::Write);
            // If it cannot be removed either, the next start does it.
            let _ = self.files.remove(&path);
        })?;
        let (len, end, newest_ms) = (HEADER_BYTES as u64, header.first, header.created_ms);
        self.current = Some(Current { file, header, len, end, newest_ms, tallies: Tallies::default(), synced: true });
        self.changes.push(Change::Begun(header));
        Ok(())
    }

    /// Cuts off what a failed write has left. If that fails too, the segment is given up.
    fn take_back(&mut self) {
        let Some(current) = &self.current else { return };
        if current.file.truncate(current.len).is_err() {
            self.give_up();
        }
    }

    /// Writes nothing more to this segment; what was taken before is still read from it.
    fn give_up(&mut self) {
        if let Some(current) = self.current.take() {
            self.changes.push(Change::Sealed(current.header.id, current.len));
        }
    }
}

fn write(
    file: &dyn OpenFile,
    mut at: u64,
    salt: u32,
    frames: &[(Head, u64, Payload)],
    gathered: &mut Vec<u8>,
) -> io::Result<()> {
    gathered.clear();
    let flush = |gathered: &mut Vec<u8>, at: &mut u64| {
        file.write_at(gathered, *at)?;
        *at += gathered.len() as u64;
        gathered.clear();
        io::Result::Ok(())
    };
    for (head, _, payload) in frames {
        gathered.extend(head.encode(salt));
        if payload.bytes.len() < WHOLE_MIN {
            gathered.extend_from_slice(&payload.bytes);
        } else {
            flush(gathered, &mut at)?;
            file.write_at(&payload.bytes, at)?;
            at += payload.bytes.len() as u64;
        }
        if gathered.len() >= GATHERED_MAX {
            flush(gathered, &mut at)?;
        }
    }
    if gathered.is_empty() { Ok(()) } else { flush(gathered, &mut at) }
}
