//! The list of patches, and how each kind of edit becomes one.

use bytes::Bytes;

use super::encode::{put_attribute, put_plain};
use crate::data::Signal;
use crate::data::batch::{At, Batch, CellColumn, ColumnStore, Envelope};
use crate::data::field::{Level, Source};
use crate::data::wire::{Payload, Reader, put_tag, put_varint};

/// Replaces the bytes from `start` to `end` by a piece of the scratch buffer.
#[derive(Clone, Copy, Debug)]
struct Patch {
    start: u32,
    end: u32,
    from: u32,
    len: u32,
}

impl Patch {
    /// What patches are sorted by. Sorts are stable, which keeps insertions at one place in their order; an insertion
    /// at the end of one element comes before a cut of the next one.
    fn place(&self) -> (u32, u32) {
        (self.start, self.end)
    }
}

/// All patches of one request.
pub(super) struct Patches<'a> {
    batch: &'a Batch,
    list: Vec<Patch>,
    scratch: Vec<u8>,
}

impl<'a> Patches<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        Patches { batch, list: Vec::new(), scratch: Vec::new() }
    }

    /// Cuts an element out. All methods answer with the change in length, in bytes.
    pub(super) fn cut(&mut self, at: At) -> i64 {
        self.list.push(Patch { start: at.start, end: at.end, from: 0, len: 0 });
        -i64::from(at.len())
    }

    /// Replaces an element, or inserts one if `at` is empty, by what was added to the scratch buffer since `from`.
    fn replace(&mut self, at: At, from: usize) -> i64 {
        let len = (self.scratch.len() - from) as u32;
        self.list.push(Patch { start: at.start, end: at.end, from: from as u32, len });
        i64::from(len) - i64::from(at.len())
    }

    /// Leaves a place for the length of a message whose patches follow: see [`Patches::close`].
    pub(super) fn open(&mut self, at: At) -> usize {
        self.list.push(Patch { start: at.start, end: at.start, from: 0, len: 0 });
        self.list.len() - 1
    }

    /// Ends the patches of the message at `at`, opened as `mark`, whose content grows by `delta`: puts the few of them
    /// in order, and the length before them. So the list is sorted but for what lies outside of records, and needs no
    /// more than a look at the end.
    pub(super) fn close(&mut self, mark: usize, at: At, delta: i64) -> i64 {
        if let Some(inside) = self.list.get_mut(mark + 1..) {
            inside.sort_by_key(Patch::place);
        }
        let end = self.list.len();
        let total = self.resize(at, delta);
        if self.list.len() > end
            && let (Some(length), Some(place)) = (self.list.pop(), self.list.get_mut(mark))
        {
            *place = length;
        }
        total
    }

    /// Corrects the length of the message at `at`, whose content grows by `delta`.
    pub(super) fn resize(&mut self, at: At, delta: i64) -> i64 {
        if delta == 0 {
            return 0;
        }
        let mut reader = Reader::within(&self.batch.bytes, at.start as usize..at.end as usize);
        let tag = reader.varint();
        let start = reader.offset();
        let (Ok(_), Ok(length)) = (tag, reader.varint()) else { return delta };
        let end = reader.offset();
        let from = self.scratch.len();
        put_varint(&mut self.scratch, length.saturating_add_signed(delta));
        delta + self.replace(At { start: start as u32, end: end as u32 }, from)
    }

    /// The edits of an entry whose fields lie in a message of their own inside the envelope: a resource, a scope.
    pub(super) fn inner(&mut self, level: Level, entry: usize, envelope: &Envelope) -> i64 {
        if envelope.inner.is_somewhere() {
            let delta = self.entry(level, entry, envelope.inner.end, None);
            return self.resize(envelope.inner, delta);
        }
        let mark = self.list.len();
        let content = self.entry(level, entry, envelope.at.end, None);
        self.wrap(mark, envelope.at.end, 1, content)
    }

    /// Puts a tag and a length before insertions at `end` that were made since `mark`: together they are one message.
    fn wrap(&mut self, mark: usize, end: u32, number: u32, content: i64) -> i64 {
        if content <= 0 {
            return 0;
        }
        let from = self.scratch.len();
        put_tag(&mut self.scratch, number, 2);
        put_varint(&mut self.scratch, content as u64);
        let len = (self.scratch.len() - from) as u32;
        self.list.insert(mark, Patch { start: end, end, from: from as u32, len });
        content + i64::from(len)
    }

    /// The edits of one entry's fields; new ones go to `end`. `data` is the place of a data point's `Gauge`, `Sum`, ….
    pub(super) fn entry(&mut self, level: Level, entry: usize, end: u32, data: Option<At>) -> i64 {
        let batch = self.batch;
        let table = batch.projection.level(level);
        let all = table.all.and_then(|column| batch.columns.get(usize::from(column)));
        let all = match all {
            Some(ColumnStore::Attributes(store)) if store.tracked => Some(store),
            _ => None,
        };
        let mut delta = 0;
        for &column in &table.columns {
            let Some(ColumnStore::Cells(store)) = batch.columns.get(usize::from(column)) else { continue };
            if !store.edited.contains(entry) {
                continue;
            }
            match batch.projection.columns().get(usize::from(column)).map(|projected| &projected.field.source) {
                Some(Source::Attribute(key)) if all.is_none() => {
                    delta += self.attribute(store, entry, key, self.attribute_number(level, data), end);
                }
                Some(Source::Plain(number, shape)) => {
                    let from = self.scratch.len();
                    put_plain(&mut self.scratch, *number, *shape, &store.cells.value(entry));
                    delta += self.cell(store, entry, from, end);
                }
                _ => {}
            }
        }
        match all {
            Some(_) => delta + self.attributes(level, entry, end, data),
            None => delta,
        }
    }

    fn attribute(&mut self, store: &CellColumn, entry: usize, key: &str, number: u32, end: u32) -> i64 {
        let from = self.scratch.len();
        if store.cells.kinds.get(entry) != Some(&0) {
            put_attribute(&mut self.scratch, number, key.as_bytes(), &store.cells.value(entry));
        }
        self.cell(store, entry, from, end)
    }

    /// One cell's new encoding, which lies in the scratch buffer since `from`: empty if the field is to go.
    fn cell(&mut self, store: &CellColumn, entry: usize, from: usize, end: u32) -> i64 {
        let mut delta = 0;
        let first = store.repeats.partition_point(|(repeat, _)| (*repeat as usize) < entry);
        for &(_, at) in store.repeats.iter().skip(first).take_while(|(repeat, _)| *repeat as usize == entry) {
            delta += self.cut(at);
        }
        let place = store.places.get(entry).copied().unwrap_or(At::NOWHERE);
        if place.is_somewhere() {
            delta + self.replace(place, from)
        } else if self.scratch.len() > from {
            delta + self.replace(At { start: end, end }, from)
        } else {
            delta
        }
    }

    /// The edits of an entry's attributes, by the column that holds all of them.
    fn attributes(&mut self, level: Level, entry: usize, end: u32, data: Option<At>) -> i64 {
        let batch = self.batch;
        let column = batch.projection.level(level).all.and_then(|column| batch.columns.get(usize::from(column)));
        let Some(ColumnStore::Attributes(store)) = column else { return 0 };
        if !store.edited.contains(entry) {
            return 0;
        }
        let number = self.attribute_number(level, data);
        let mut delta = 0;
        let first = store.cuts.partition_point(|(cut, _)| (*cut as usize) < entry);
        let cuts = store.cuts.iter().skip(first).take_while(|(cut, _)| *cut as usize == entry);
        cuts.for_each(|(_, at)| delta += self.cut(*at));
        let start = |index: usize| store.attributes.starts.get(index).map_or(0, |start| *start as usize);
        for index in start(entry)..start(entry + 1) {
            if store.set.get(index) != Some(&true) {
                continue;
            }
            let from = self.scratch.len();
            put_attribute(&mut self.scratch, number, store.key(index), &store.attributes.values.value(index));
            let place = store.places.get(index).copied().unwrap_or(At::NOWHERE);
            let place = if place.is_somewhere() { place } else { At { start: end, end } };
            delta += self.replace(place, from);
        }
        delta
    }

    /// The edits of a span's status.
    pub(super) fn status(&mut self, row: usize, end: u32) -> i64 {
        let batch = self.batch;
        let table = batch.projection.level(Level::Record);
        let mut numbers = table.status_numbers;
        if numbers == 0 {
            return 0;
        }
        let place = batch.layout.statuses.get(row).copied().unwrap_or(At::NOWHERE);
        let inner_end = if place.is_somewhere() { place.end } else { end };
        let mark = self.list.len();
        let mut delta = 0;
        while numbers != 0 {
            let number = numbers.trailing_zeros();
            numbers &= numbers - 1;
            let Some(slot) = table.status.get(number as usize).copied().flatten() else { continue };
            let Some(ColumnStore::Cells(store)) = batch.columns.get(usize::from(slot.column)) else { continue };
            if store.edited.contains(row) {
                let from = self.scratch.len();
                put_plain(&mut self.scratch, number, slot.shape, &store.cells.value(row));
                delta += self.cell(store, row, from, inner_end);
            }
        }
        if place.is_somewhere() { self.resize(place, delta) } else { self.wrap(mark, end, 15, delta) }
    }

    /// The field number of attributes (opentelemetry-proto).
    fn attribute_number(&self, level: Level, data: Option<At>) -> u32 {
        match (level, self.batch.signal()) {
            (Level::Resource, _) => 1,
            (Level::Scope | Level::Event, _) => 3,
            (Level::Link, _) => 4,
            (Level::Metric, _) => 12,
            (Level::Record, Signal::Traces) => 9,
            (Level::Record, Signal::Logs) => 6,
            (Level::Record, Signal::Metrics) => self.point_attribute_number(data),
        }
    }

    fn point_attribute_number(&self, data: Option<At>) -> u32 {
        let at = data.unwrap_or(At::NOWHERE);
        let mut reader = Reader::within(&self.batch.bytes, at.start as usize..at.end as usize);
        match reader.field() {
            Ok(Some(field)) if matches!(field.payload, Payload::Bytes { .. }) => match field.number {
                9 => 9,
                10 => 1,
                _ => 7,
            },
            _ => 7,
        }
    }

    /// Applies all patches; the result is longer than the request by `delta`.
    pub(super) fn write(mut self, delta: i64) -> Bytes {
        // Nearly sorted: a stable sort finds the runs.
        self.list.sort_by_key(Patch::place);
        let bytes = &self.batch.bytes;
        let mut out = Vec::with_capacity(bytes.len().saturating_add_signed(delta as isize));
        let mut at = 0;
        for patch in &self.list {
            out.extend_from_slice(bytes.get(at..patch.start as usize).unwrap_or_default());
            let (from, len) = (patch.from as usize, patch.len as usize);
            out.extend_from_slice(self.scratch.get(from..from + len).unwrap_or_default());
            at = patch.end as usize;
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        out.into()
    }
}
