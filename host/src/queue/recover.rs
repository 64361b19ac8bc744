//! Finding out what a directory holds, when a queue is opened.
//!
//! Sealed segments are judged by their header and footer; frames are read of the one that was written to last, and
//! of those that are partly delivered. So a start takes as long as there are segments, not entries (F52).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cursor::{self, Marked};
use super::done::Done;
use super::error::OpenError;
use super::files::{Access, Files, OpenFile};
use super::meter::Meter;
use super::quarantine::Quarantine;
use super::segment::{self, FOOTER_BYTES, Footer, HEADER_BYTES, Header, Opening};
use super::state::Segment;
use super::tally::Tallies;
use super::walk::{Found, Walk};

/// What a directory holds.
#[derive(Debug)]
pub struct Recovered {
    /// Its segments, by number.
    pub segments: BTreeMap<u64, Segment>,
    /// What is done with.
    pub done: Done,
    /// What the cursor's file said.
    pub marked: Marked,
    /// The number of the next segment.
    pub next_id: u64,
    /// The sequence number of the next entry.
    pub next_sequence: u64,
}

/// What the first and last bytes of a segment's file say.
#[derive(Debug)]
pub struct Outline {
    /// Its number, by its name.
    pub id: u64,
    /// Its file.
    pub file: Arc<dyn OpenFile>,
    /// Bytes of the file.
    pub size: u64,
    /// Its header, if that or the footer is sound.
    pub header: Option<Header>,
    /// Its footer, if nothing more was to come.
    pub footer: Option<Footer>,
}

/// Recovers one directory.
#[derive(Debug)]
pub struct Recovery<'a> {
    /// Where.
    pub dir: &'a Path,
    /// What is below it.
    pub files: &'a dyn Files,
    /// What is counted.
    pub meter: &'a Meter,
    /// Where damaged bytes go.
    pub quarantine: &'a Quarantine,
}

impl Outline {
    /// Reads the first and last bytes of a segment's file; an error inside: the version of a later Sluicebox.
    pub fn read(files: &dyn Files, path: &Path, id: u64, access: Access) -> io::Result<Result<Self, u32>> {
        let file = files.open(path, access)?;
        let size = file.size()?;
        let mut bytes = [0; HEADER_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        let opening = match Header::decode(bytes.get(..read).unwrap_or_default()) {
            Opening::Newer(version) => return Ok(Err(version)),
            Opening::Sound(header) => Some(header),
            Opening::Damaged => None,
        };
        let mut bytes = [0; FOOTER_BYTES];
        let footer = match size.checked_sub(FOOTER_BYTES as u64) {
            Some(at) if at >= HEADER_BYTES as u64 => {
                let read = file.read_at(&mut bytes, at)?;
                Footer::decode(bytes.get(..read).unwrap_or_default())
            }
            _ => None,
        };
        let is_own = |header: &Header| header.id == id;
        let footer = footer.filter(|footer| is_own(&footer.header));
        let header = opening.filter(is_own).or(footer.map(|footer| footer.header));
        Ok(Ok(Outline { id, file, size, header, footer }))
    }

    /// Where the frames end, if nothing is damaged.
    pub fn data_end(&self) -> u64 {
        self.size - self.footer.map_or(0, |_| FOOTER_BYTES as u64)
    }
}

/// The segments of a directory, by number.
pub fn segment_ids(names: &[String]) -> Vec<u64> {
    let mut ids: Vec<u64> = names.iter().filter_map(|name| segment::id_of(name)).collect();
    ids.sort_unstable();
    ids
}

impl Recovery<'_> {
    fn error(&self, act: &'static str) -> impl Fn(io::Error) -> OpenError {
        let dir = self.dir.to_owned();
        move |source| OpenError::Io { act, dir: dir.clone(), source }
    }

    /// Recovers the directory, whose lock is held.
    pub fn run(&self, names: &[String]) -> Result<Recovered, OpenError> {
        let newer = |file: &Path, version| OpenError::Newer {
            dir: self.dir.to_owned(),
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            version,
        };
        // First everything is looked at, and nothing changed: a later version's files are left as they are (F51).
        let path = cursor::path(self.dir);
        let marked = cursor::read(self.files, &path).map_err(self.error("read the cursor"))?;
        if let Marked::Newer(version) = marked {
            return Err(newer(&path, version));
        }
        let mut outlines = Vec::new();
        for id in segment_ids(names) {
            let path = segment::path(self.dir, id);
            let outline = Outline::read(self.files, &path, id, Access::Write).map_err(self.error("read a segment"))?;
            outlines.push(outline.map_err(|version| newer(&path, version))?);
        }
        let next_id = outlines.last().map_or(1, |outline| outline.id + 1);
        let mut segments = BTreeMap::new();
        for outline in outlines {
            if let Some(segment) = self.segment(&outline).map_err(self.error("repair a segment"))? {
                segments.insert(outline.id, segment);
            }
        }
        self.settle(marked, next_id, segments).map_err(self.error("remove a delivered segment"))
    }

    fn settle(&self, marked: Marked, next_id: u64, mut segments: BTreeMap<u64, Segment>) -> io::Result<Recovered> {
        let first = segments.values().map(|segment| segment.header.first).min();
        let done = match &marked {
            Marked::Sound { done, .. } => done.clone(),
            _ => Done::below(first.unwrap_or(0)),
        };
        if first.is_some() && !matches!(marked, Marked::Sound { .. }) {
            let (exporter, dir) = (self.meter.exporter(), self.dir.display());
            self.meter.failed(super::meter::Act::Cursor);
            tracing::error!(
                exporter,
                "the cursor of the queue `{dir}` is missing or damaged; everything in the queue counts as undelivered"
            );
        }
        // A power loss may have taken entries that the cursor knows as delivered: their numbers are not used again.
        let end = segments.values().map(|segment| segment.end).max();
        let next_sequence = end.unwrap_or(0).max(done.end());
        let mut gone = Vec::new();
        for (id, segment) in &mut segments {
            let range = segment.header.first..segment.end;
            if done.covers(range.clone()) {
                self.files.remove(&segment::path(self.dir, *id))?;
                gone.push(*id);
            } else if done.low() > range.start || done.ranges().any(|done| done.start < range.end) {
                self.subtract(segment, &done)?;
            }
        }
        segments.retain(|id, _| !gone.contains(id));
        Ok(Recovered { segments, done, marked, next_id, next_sequence })
    }

    /// Takes what is done with out of the count of a segment.
    fn subtract(&self, segment: &mut Segment, done: &Done) -> io::Result<()> {
        let file = self.files.open(&segment::path(self.dir, segment.header.id), Access::Read)?;
        let mut walk = Walk::new(file, segment.header.salt, HEADER_BYTES as u64, segment.data_end);
        while let Some(found) = walk.step()? {
            if let Found::Frame { head, .. } | Found::Damaged { head: Some(head), .. } = found
                && done.contains(head.sequence)
            {
                segment.unread.take(head.signal, head.tally());
            }
        }
        Ok(())
    }

    fn segment(&self, outline: &Outline) -> io::Result<Option<Segment>> {
        let path = segment::path(self.dir, outline.id);
        let Some(header) = outline.header else {
            self.reject(outline, &path)?;
            return Ok(None);
        };
        if let Some(footer) = outline.footer {
            let Footer { end, newest_ms, tallies: unread, .. } = footer;
            let (data_end, file_bytes) = (outline.data_end(), outline.size);
            let unreadable = false;
            return Ok(Some(Segment {
                header,
                end,
                data_end,
                file_bytes,
                sealed: true,
                newest_ms,
                unread,
                unreadable,
            }));
        }
        self.scan(outline, header, &path)
    }

    /// A file whose frames cannot be told from anything else.
    fn reject(&self, outline: &Outline, path: &Path) -> io::Result<()> {
        let (exporter, path_shown) = (self.meter.exporter(), path.display());
        if outline.size <= HEADER_BYTES as u64 {
            tracing::debug!(exporter, "the segment `{path_shown}` was never begun");
            return self.files.remove(path);
        }
        self.meter.damaged(outline.size);
        let aside: PathBuf = self.quarantine.set_aside(path)?;
        tracing::error!(exporter, "the segment `{path_shown}` is damaged; it is now `{}`", aside.display());
        Ok(())
    }

    /// Reads the segment that was written to last: cuts off what a process that was killed left half written (F43),
    /// and ends it.
    fn scan(&self, outline: &Outline, header: Header, path: &Path) -> io::Result<Option<Segment>> {
        let mut walk = Walk::new(outline.file.clone(), header.salt, HEADER_BYTES as u64, outline.size);
        let mut segment = Segment { sealed: true, file_bytes: outline.size, ..Segment::begun(header) };
        let mut unread = Tallies::default();
        while let Some(found) = walk.step()? {
            let head = match found {
                Found::Frame { head, .. } => head,
                // All of it is there: this was not cut short. The reader sets it apart when it comes to it.
                Found::Damaged { head: Some(head), at, end } if at + head.frame_bytes() == end => head,
                Found::Damaged { .. } => continue,
            };
            segment.end = head.sequence + 1;
            segment.data_end = walk.at();
            segment.newest_ms = segment.newest_ms.max(head.enqueued_ms);
            unread.add(head.signal, head.tally());
        }
        let torn = outline.size - segment.data_end;
        if torn > 0 {
            let (exporter, path) = (self.meter.exporter(), path.display());
            tracing::warn!(exporter, bytes = torn, "the end of `{path}` was half written; it is cut off");
            outline.file.truncate(segment.data_end)?;
        }
        if unread.total().entries == 0 {
            self.files.remove(path)?;
            return Ok(None);
        }
        let footer = Footer { header, end: segment.end, newest_ms: segment.newest_ms, tallies: unread }.encode();
        outline.file.write_at(&footer, segment.data_end)?;
        outline.file.sync()?;
        segment.unread = unread;
        segment.file_bytes = segment.data_end + footer.len() as u64;
        Ok(Some(segment))
    }
}
