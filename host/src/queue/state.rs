//! What the threads of a queue and its users share: which segments there are, what is ready to be handed out, what
//! is done with.
//!
//! Entries go by their sequence number through `ready`, bounded in bytes. The writer puts there what it has just
//! written, as long as it has room and nothing is left out in between; from then on the reader fills it up from the
//! files until it has caught up. So nothing is read back as long as deliveries keep pace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::done::Done;
use super::error::{AppendError, Full};
use super::files::Lock;
use super::frame::{HEAD_BYTES, Head};
use super::meter::{Loss, Meter};
use super::options::Options;
use super::segment::{FOOTER_BYTES, HEADER_BYTES, Header};
use super::tally::Tallies;
use crate::data::Payload;

/// Bytes of payloads that are kept ready because they have just been written.
const READY_BYTES_MAX: u64 = 16 << 20;

/// Below this the reader reads more.
const READY_BYTES_MIN: u64 = 4 << 20;

/// Bytes of payloads that wait to be written, reserved ones included.
const UNWRITTEN_BYTES_MAX: u64 = 64 << 20;

/// After a failure nothing is taken for so long: each entry would cost its sender a failed attempt.
const FAILING_TIME: Duration = Duration::from_millis(250);

/// A segment, as far as it counts.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its number, salt, and first sequence number.
    pub header: Header,
    /// One past the sequence number of its last frame.
    pub end: u64,
    /// Where its last frame ends.
    pub data_end: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Whether nothing more is written to it.
    pub sealed: bool,
    /// When its last frame was taken.
    pub newest_ms: u64,
    /// What is in it that is not done with, and that the reader has not come to.
    pub unread: Tallies,
    /// A part of it could not be read: the file is set aside, not removed.
    pub unreadable: bool,
}

impl Segment {
    /// One that has just been begun.
    pub fn begun(header: Header) -> Self {
        Segment {
            header,
            end: header.first,
            data_end: HEADER_BYTES as u64,
            file_bytes: HEADER_BYTES as u64,
            sealed: false,
            newest_ms: header.created_ms,
            unread: Tallies::default(),
            unreadable: false,
        }
    }
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The number of the segment.
    pub segment: u64,
    /// Where its frame begins.
    pub at: u64,
}

/// How far the reader has come. Everything before it has been ready, or is done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of the segment.
    pub segment: u64,
    /// Where the next frame begins.
    pub at: u64,
    /// The sequence number that the next frame has, or is below.
    pub sequence: u64,
}

/// An entry that can be handed out.
#[derive(Debug)]
pub struct Ready {
    /// What its head says.
    pub head: Head,
    /// Where it is.
    pub location: Location,
    /// What is in it.
    pub payload: Payload,
}

/// An entry on its way to the disk.
#[derive(Debug)]
pub struct Pending {
    /// What is in it.
    pub payload: Payload,
    /// When it was taken.
    pub enqueued_ms: u64,
    /// Who waits for it.
    pub written: oneshot::Sender<Result<(), AppendError>>,
}

impl Pending {
    /// Bytes that it takes.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(self.payload.bytes.len())
    }
}

/// Bytes that a payload takes in a segment.
pub fn frame_bytes(payload: usize) -> u64 {
    (HEAD_BYTES + payload) as u64
}

/// Where in its life the queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It takes and hands out.
    Open,
    /// It does neither; what is out can still be marked as delivered.
    Closed,
    /// Its threads write down what there is, and end.
    Ending,
    /// They have ended; the directory is free.
    Ended,
}

/// Writing fails.
#[derive(Debug)]
struct Failing {
    until: Instant,
    why: Arc<str>,
}

/// What a request for the next entry gets.
#[derive(Debug)]
pub enum Next {
    /// This one.
    Entry(Box<Ready>),
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    Closed,
}

/// Everything that is shared, under one lock.
#[derive(Debug)]
pub struct State {
    /// How the queue behaves.
    pub options: Options,
    /// By number, which is the order of their frames.
    pub segments: BTreeMap<u64, Segment>,
    ready: BTreeMap<u64, Ready>,
    ready_bytes: u64,
    /// Entries that came back undelivered.
    returned: BTreeMap<u64, Location>,
    /// Entries that are out for delivery, and when they were taken.
    out: BTreeMap<u64, u64>,
    /// How far the reader has come.
    pub position: Position,
    /// What is done with.
    pub done: Done,
    /// How often something was marked as done, and how many of those marks the cursor has.
    pub marks: u64,
    /// See `marks`.
    pub marks_written: u64,
    /// All that is not done with.
    pub held: Tallies,
    /// Entries that wait for the writer.
    pub pending: Vec<Pending>,
    /// Bytes of `pending` and of places that are held.
    reserved: u64,
    /// Bytes of `pending` alone.
    pub pending_bytes: u64,
    failing: Option<Failing>,
    /// Where the queue is in its life.
    pub phase: Phase,
    /// Threads that have not ended.
    pub threads: usize,
    /// Held until the last thread has ended.
    pub lock: Option<Box<dyn Lock>>,
    /// Whether the writer waits for something to do.
    pub writer_idle: bool,
}

impl State {
    /// The state of a queue that was found like this.
    pub fn new(options: Options, segments: BTreeMap<u64, Segment>, done: Done, lock: Box<dyn Lock>) -> Self {
        let mut held = Tallies::default();
        segments.values().for_each(|segment| held += segment.unread);
        let first = segments.values().next();
        let position = Position {
            segment: first.map_or(0, |segment| segment.header.id),
            at: HEADER_BYTES as u64,
            sequence: done.low(),
        };
        State {
            options,
            segments,
            ready: BTreeMap::new(),
            ready_bytes: 0,
            returned: BTreeMap::new(),
            out: BTreeMap::new(),
            position,
            done,
            marks: 1,
            marks_written: 0,
            held,
            pending: Vec::new(),
            reserved: 0,
            pending_bytes: 0,
            failing: None,
            phase: Phase::Open,
            threads: 0,
            lock: Some(lock),
            writer_idle: false,
        }
    }

    /// Bytes on the disk.
    pub fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.file_bytes).sum()
    }

    /// Writes the gauges.
    pub fn show(&self, meter: &Meter) {
        meter.holds(self.held.total(), self.disk_bytes(), self.segments.len());
    }

    /// Holds room for a payload of so many bytes.
    pub fn reserve(&mut self, payload: usize) -> Result<u64, Full> {
        if self.phase != Phase::Open {
            return Err(Full::Closed);
        }
        if let Some(failing) = &self.failing {
            if Instant::now() < failing.until {
                return Err(Full::Failing { why: failing.why.clone() });
            }
            self.failing = None;
        }
        let cost = frame_bytes(payload);
        let is_alone = self.reserved == 0;
        if self.reserved + cost > UNWRITTEN_BYTES_MAX && !is_alone {
            return Err(Full::Slow);
        }
        // What is larger than everything gets in when there is nothing else: its sender would come again for ever.
        let fits = self.disk_bytes() + self.reserved + cost + FOOTER_BYTES as u64 <= self.options.max_bytes;
        let is_empty = is_alone && self.held.total().entries == 0;
        if !(fits || is_empty) {
            return Err(Full::NoRoom);
        }
        self.reserved += cost;
        Ok(cost)
    }

    /// Holds room that was found before.
    pub fn hold(&mut self, cost: u64) {
        self.reserved += cost;
    }

    /// Gives room back that was held.
    pub fn release(&mut self, cost: u64) {
        self.reserved = self.reserved.saturating_sub(cost);
    }

    /// Nothing more is taken for a moment.
    pub fn fail(&mut self, why: &Arc<str>) {
        self.failing = Some(Failing { until: Instant::now() + FAILING_TIME, why: why.clone() });
    }

    /// Frames were written to the last segment, each with the place where it begins.
    pub fn commit(&mut self, id: u64, frames: Vec<(Head, u64, Payload)>, meter: &Meter) {
        for (head, at, payload) in frames {
            let caught_up = self.has_caught_up();
            let Some(segment) = self.segments.get_mut(&id) else { return };
            let end = at + head.frame_bytes();
            segment.end = head.sequence + 1;
            segment.data_end = end;
            segment.file_bytes = segment.file_bytes.max(end);
            segment.newest_ms = segment.newest_ms.max(head.enqueued_ms);
            let size = u64::from(head.length);
            let has_room = self.ready_bytes + size <= READY_BYTES_MAX || self.ready.is_empty();
            if !(caught_up && has_room) {
                segment.unread.add(head.signal, head.tally());
            }
            self.held.add(head.signal, head.tally());
            if caught_up && has_room {
                while self.position.segment < id && self.segments.contains_key(&self.position.segment) {
                    self.next_segment(meter);
                }
                self.pass(self.position.sequence..head.sequence);
                self.position = Position { segment: id, at: end, sequence: head.sequence + 1 };
                self.make_ready(Ready { head, location: Location { segment: id, at }, payload });
            }
        }
    }

    /// Puts an entry where it can be handed out.
    pub fn make_ready(&mut self, ready: Ready) {
        self.ready_bytes += u64::from(ready.head.length);
        self.ready.insert(ready.head.sequence, ready);
    }

    /// No frame has these sequence numbers.
    pub fn pass(&mut self, missing: std::ops::Range<u64>) {
        if missing.start < missing.end && self.done.add(missing) {
            self.marks += 1;
        }
    }

    /// Whether nothing waits to be handed out.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.returned.is_empty() && self.has_caught_up()
    }

    /// Whether everything that is written has been ready.
    pub fn has_caught_up(&self) -> bool {
        let Position { segment, at, .. } = self.position;
        let has_unread =
            |(id, s): (&u64, &Segment)| if *id == segment { s.data_end > at } else { s.end > s.header.first };
        !self.segments.range(segment..).any(has_unread)
    }

    /// Whether the reader should read.
    pub fn wants_reading(&self) -> bool {
        self.ready_bytes < READY_BYTES_MIN && (!self.returned.is_empty() || !self.has_caught_up())
    }

    /// The oldest entry that can be handed out, once the cursor has the first `marks` marks.
    pub fn next(&mut self, marks: u64) -> Next {
        if self.phase != Phase::Open {
            return Next::Closed;
        }
        if self.marks_written < marks {
            return Next::Wait;
        }
        match self.ready.pop_first() {
            None => Next::Wait,
            Some((_, ready)) => {
                self.ready_bytes = self.ready_bytes.saturating_sub(u64::from(ready.head.length));
                self.out.insert(ready.head.sequence, ready.head.enqueued_ms);
                Next::Entry(Box::new(ready))
            }
        }
    }

    /// An entry is done with.
    pub fn finish(&mut self, head: &Head) {
        self.out.remove(&head.sequence);
        if self.done.add(head.sequence..head.sequence + 1) {
            self.held.take(head.signal, head.tally());
            self.marks += 1;
        }
    }

    /// An entry was not delivered. It is read again, since it may be long before anybody wants it.
    pub fn put_back(&mut self, sequence: u64, location: Location) {
        if self.out.remove(&sequence).is_some() {
            self.returned.insert(sequence, location);
        }
    }

    /// The reader could not read an entry that came back, and will try again.
    pub fn come_back(&mut self, sequence: u64, location: Location) {
        self.returned.insert(sequence, location);
    }

    /// The reader goes on to the next segment.
    pub fn next_segment(&mut self, meter: &Meter) {
        let Position { segment: id, sequence, .. } = self.position;
        let Some(next) = self.segments.range(id + 1..).next().map(|(_, segment)| segment.header) else { return };
        self.pass(sequence..next.first);
        self.settle(id, meter);
        let sequence = sequence.max(next.first);
        self.position = Position { segment: next.id, at: HEADER_BYTES as u64, sequence };
    }

    /// The reader has come to the end of what will ever be in its segment.
    pub fn end_segment(&mut self, meter: &Meter) {
        let Position { segment: id, at, sequence } = self.position;
        if let Some(end) = self.segments.get(&id).filter(|s| s.sealed && s.data_end <= at).map(|s| s.end) {
            self.pass(sequence..end);
            self.position.sequence = sequence.max(end);
            self.settle(id, meter);
        }
    }

    /// What should have been in a segment, and was not found, is lost.
    fn settle(&mut self, id: u64, meter: &Meter) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let lost = std::mem::take(&mut segment.unread);
        self.held -= lost;
        meter.lost(Loss::Damaged, &lost);
    }

    /// A segment's file is gone.
    pub fn forget_segment(&mut self, id: u64, meter: &Meter) {
        self.settle(id, meter);
        self.segments.remove(&id);
    }

    /// The oldest entry that came back.
    pub fn take_returned(&mut self) -> Option<(u64, Location)> {
        self.returned.pop_first()
    }

    /// Drops what is ready and was taken before `limit`, in milliseconds since 1970.
    pub fn expire_ready(&mut self, limit: u64, meter: &Meter) {
        let mut expired = Tallies::default();
        while let Some(first) = self.ready.first_entry().filter(|first| first.get().head.enqueued_ms < limit) {
            let head = first.remove().head;
            self.ready_bytes = self.ready_bytes.saturating_sub(u64::from(head.length));
            self.finish(&head);
            expired.add(head.signal, head.tally());
        }
        meter.lost(Loss::Expired, &expired);
    }

    /// Drops whole segments that the reader has not come to and in which everything was taken before `limit`.
    pub fn expire_segments(&mut self, limit: u64, meter: &Meter) {
        let mut expired = Tallies::default();
        let next = self.position.segment + 1;
        for segment in self.segments.range_mut(next..).map(|(_, s)| s).filter(|s| s.sealed && s.newest_ms < limit) {
            let unread = std::mem::take(&mut segment.unread);
            if self.done.add(segment.header.first..segment.end) {
                self.marks += 1;
            }
            self.held -= unread;
            expired += unread;
        }
        meter.lost(Loss::Expired, &expired);
    }

    /// Segments of which everything is done with.
    pub fn finished(&self) -> Vec<Segment> {
        let is_finished = |s: &&Segment| s.sealed && self.done.covers(s.header.first..s.end);
        self.segments.values().filter(is_finished).cloned().collect()
    }

    /// When the oldest entry that is not done with was taken, as far as that is known.
    pub fn oldest_ms(&self) -> Option<u64> {
        if self.held.total().entries == 0 {
            return None;
        }
        let ready = self.ready.first_key_value().map(|(_, ready)| ready.head.enqueued_ms);
        let out = self.out.first_key_value().map(|(_, enqueued_ms)| *enqueued_ms);
        ready.into_iter().chain(out).min()
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
