//! The thread that reads: fills up what is ready to be handed out, past whatever cannot be read.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::files::Access;
use super::frame::Head;
use super::meter::{Act, Loss, Meter};
use super::segment;
use super::shared::{Shared, Thread};
use super::state::{Location, Phase, Position, Ready, Segment, State};
use super::tally::Tallies;
use super::walk::{Found, Walk};

/// So much is read before it is shown to others.
const ROUND_BYTES: u64 = 1 << 20;

/// How often, and after what wait each, reading is tried before a part of a file counts as unreadable.
const TRIES: u32 = 5;
const TRY_WAIT: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// Where the last round ended.
    walk: Option<(u64, Walk)>,
    failures: u32,
}

/// What is to be read next.
enum Work {
    /// An entry that came back.
    Returned(u64, Location, Segment),
    /// What follows.
    Onward(Segment, u64),
}

impl Reader {
    /// The reader of a queue.
    pub fn new(shared: Arc<Shared>) -> Self {
        Reader { shared, walk: None, failures: 0 }
    }

    /// Reads until the queue ends.
    pub fn run(mut self) {
        let _thread = Thread(self.shared.clone());
        while let Some(work) = self.wait() {
            let result = match &work {
                Work::Returned(sequence, location, segment) => self.read_again(*sequence, *location, segment),
                Work::Onward(segment, at) => self.read_on(segment, *at),
            };
            match result {
                Ok(()) => self.failures = 0,
                Err(error) => self.fail(work, &error),
            }
            self.shared.changed.notify_waiters();
            if self.shared.options().max_age.is_some() {
                self.shared.to_keep.notify_one();
            }
        }
    }

    fn wait(&mut self) -> Option<Work> {
        let mut state = self.shared.state.lock();
        loop {
            if state.phase >= Phase::Ending {
                return None;
            }
            if state.wants_reading()
                && let Some(work) = next_work(&mut state, &self.shared.meter)
            {
                return Some(work);
            }
            if !state.wants_reading() {
                self.shared.to_read.wait(&mut state);
            }
        }
    }

    fn walk(&mut self, segment: &Segment, at: u64) -> io::Result<&mut Walk> {
        let id = segment.header.id;
        let fits = |(own, walk): &(u64, Walk)| *own == id && walk.at() == at;
        if !self.walk.as_ref().is_some_and(fits) {
            self.walk = None;
        }
        let (_, walk) = match self.walk.take() {
            Some(walk) => self.walk.insert(walk),
            None => {
                let file = self.shared.files.open(&segment::path(&self.shared.dir, id), Access::Read)?;
                self.walk.insert((id, Walk::new(file, segment.header.salt, at, segment.data_end)))
            }
        };
        walk.extend(segment.data_end);
        Ok(walk)
    }

    fn read_on(&mut self, segment: &Segment, at: u64) -> io::Result<()> {
        let walk = self.walk(segment, at)?;
        let mut found = Vec::new();
        let mut bytes = 0;
        while bytes < ROUND_BYTES {
            let Some(next) = walk.step()? else { break };
            bytes = walk.at() - at;
            found.push(next);
        }
        let end = walk.at();
        for found in &found {
            if let Found::Damaged { at, end, .. } = found {
                self.set_apart(segment, *at..*end);
            }
        }
        let id = segment.header.id;
        let mut state = self.shared.state.lock();
        let mut lost = Tallies::default();
        for found in found {
            match found {
                Found::Frame { at, head, payload } => {
                    meet(&mut state, id, &head);
                    if !state.done.contains(head.sequence) {
                        let payload = head.payload(payload);
                        state.make_ready(Ready { head, location: Location { segment: id, at }, payload });
                    }
                }
                Found::Damaged { head: Some(head), .. } => {
                    meet(&mut state, id, &head);
                    lose(&mut state, &head, &mut lost);
                }
                Found::Damaged { head: None, .. } => {}
            }
        }
        state.position = Position { segment: id, at: end, sequence: state.position.sequence };
        state.end_segment(&self.shared.meter);
        self.end(state, &lost);
        Ok(())
    }

    fn read_again(&mut self, sequence: u64, location: Location, segment: &Segment) -> io::Result<()> {
        let path = segment::path(&self.shared.dir, location.segment);
        let file = self.shared.files.open(&path, Access::Read)?;
        let found = Walk::new(file, segment.header.salt, location.at, segment.data_end).step()?;
        let mut lost = Tallies::default();
        let damage = match &found {
            Some(Found::Damaged { at, end, .. }) => Some(*at..*end),
            _ => None,
        };
        if let Some(damage) = damage {
            self.set_apart(segment, damage);
        }
        let mut state = self.shared.state.lock();
        match found {
            Some(Found::Frame { head, payload, .. }) if head.sequence == sequence => {
                state.make_ready(Ready { head, location, payload: head.payload(payload) });
            }
            Some(Found::Damaged { head: Some(head), .. }) if head.sequence == sequence => {
                lose(&mut state, &head, &mut lost);
            }
            _ => state.pass(sequence..sequence + 1),
        }
        self.end(state, &lost);
        Ok(())
    }

    fn end(&self, state: parking_lot::MutexGuard<'_, State>, lost: &Tallies) {
        state.show(&self.shared.meter);
        drop(state);
        self.shared.meter.lost(Loss::Damaged, lost);
        self.shared.to_keep.notify_one();
    }

    /// Keeps damaged bytes, and says so.
    fn set_apart(&self, segment: &Segment, range: Range<u64>) {
        let id = segment.header.id;
        self.shared.meter.damaged(range.end - range.start);
        let path = segment::path(&self.shared.dir, id);
        let copied = self.shared.files.open(&path, Access::Read);
        let copied = copied.and_then(|file| self.shared.quarantine.copy(id, &*file, range.start, range.end));
        let kept = match copied {
            Ok(Some(path)) => format!("a copy is `{}`", path.display()),
            Ok(None) => "no copy is kept, as there are many already".to_owned(),
            Err(error) => format!("they cannot be copied: {error}"),
        };
        let (exporter, at, bytes) = (self.shared.meter.exporter(), range.start, range.end - range.start);
        tracing::error!(exporter, at, bytes, "a part of `{}` is damaged and skipped; {kept}", path.display());
    }

    /// Waits and lets it be tried again; in the end gives up the part that cannot be read, but keeps the file.
    fn fail(&mut self, work: Work, error: &io::Error) {
        self.walk = None;
        self.failures += 1;
        self.shared.meter.failed(Act::Read);
        let exporter = self.shared.meter.exporter();
        let gives_up = self.failures >= TRIES;
        let mut state = self.shared.state.lock();
        let id = match work {
            Work::Returned(sequence, location, _) if gives_up => {
                state.pass(sequence..sequence + 1);
                location.segment
            }
            Work::Returned(sequence, location, _) => {
                state.come_back(sequence, location);
                location.segment
            }
            Work::Onward(segment, _) => {
                if gives_up {
                    state.position.at = segment.data_end;
                }
                segment.header.id
            }
        };
        tracing::error!(exporter, segment = id, gives_up, "cannot read from the queue: {error}");
        if gives_up {
            self.failures = 0;
            if let Some(segment) = state.segments.get_mut(&id) {
                segment.unreadable = true;
            }
        } else if state.phase < Phase::Ending {
            // Woken early, it just tries early.
            self.shared.to_read.wait_for(&mut state, TRY_WAIT);
        }
    }
}

/// What to read next; moves on to the next segment at the end of one.
fn next_work(state: &mut State, meter: &Meter) -> Option<Work> {
    if let Some((sequence, location)) = state.take_returned() {
        let segment = state.segments.get(&location.segment)?.clone();
        return Some(Work::Returned(sequence, location, segment));
    }
    let Position { segment: id, at, .. } = state.position;
    if let Some(segment) = state.segments.get(&id).filter(|segment| at < segment.data_end) {
        return Some(Work::Onward(segment.clone(), at));
    }
    state.next_segment(meter);
    None
}

/// The reader has come to a frame: what should have been before it is missing.
fn meet(state: &mut State, id: u64, head: &Head) {
    state.pass(state.position.sequence..head.sequence);
    state.position.sequence = state.position.sequence.max(head.sequence + 1);
    if !state.done.contains(head.sequence)
        && let Some(segment) = state.segments.get_mut(&id)
    {
        segment.unread.take(head.signal, head.tally());
    }
}

fn lose(state: &mut State, head: &Head, lost: &mut Tallies) {
    if !state.done.contains(head.sequence) {
        state.finish(head);
        lost.add(head.signal, head.tally());
    }
}
