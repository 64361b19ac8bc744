//! Where the walk puts what it finds: the layout, the columns, the relations of the levels.

use std::ops::Range;

use crate::data::batch::{At, AttributeColumn, CellColumn, ColumnStore, Layout, Relations};
use crate::data::column::{Attributes, Cells, Kind, Value};
use crate::data::field::{Level, PointField, Shape, Source};
use crate::data::projection::{PointKind, Projected, Projection, Slot};
use crate::data::wire::{Field, Payload};

use super::place;

/// Bytes of a record by which room is made for a request's records: a small one. So vectors of a request are allocated
/// once, not doubled from nothing, and hold at most a few bytes for nothing beside each record.
const RECORD_BYTES: usize = 256;

/// Collects one batch.
pub(super) struct Sink<'a> {
    pub(super) projection: &'a Projection,
    pub(super) layout: Layout,
    pub(super) relations: Relations,
    pub(super) columns: Vec<ColumnStore>,
    bytes: &'a [u8],
}

impl<'a> Sink<'a> {
    pub(super) fn new(projection: &'a Projection, bytes: &'a [u8]) -> Self {
        let rows = bytes.len() / RECORD_BYTES;
        let columns = projection.columns().iter().map(|projected| empty_column(projected, rows)).collect();
        let layout = Layout { records: Vec::with_capacity(rows), ..Layout::default() };
        Sink { projection, layout, relations: Relations::default(), columns, bytes }
    }

    /// Begins an entry of a level: every column of the level gets its default.
    #[inline]
    pub(super) fn open(&mut self, level: Level) {
        for &column in &self.projection.level(level).columns {
            match self.columns.get_mut(usize::from(column)) {
                Some(ColumnStore::Cells(store)) => store.open(),
                Some(ColumnStore::Attributes(store)) => store.open(),
                None => {}
            }
        }
    }

    /// Whether some column wants the attribute of that key.
    #[inline(always)]
    pub(super) fn wants_attribute(&self, level: Level, key: &[u8]) -> bool {
        let table = self.projection.level(level);
        table.all.is_some() || table.keys.find(key).is_some()
    }

    /// One attribute of the open entry of a level.
    #[inline(never)]
    pub(super) fn attribute(&mut self, level: Level, key: &[u8], value: Value<'_>, at: At) {
        let table = self.projection.level(level);
        if let Some(column) = table.keys.find(key)
            && let Some(store) = self.cells(column)
        {
            store.find_first(value, at);
        }
        if let Some(column) = table.all
            && let Some(ColumnStore::Attributes(store)) = self.columns.get_mut(usize::from(column))
        {
            store.push(key, value, at);
        }
    }

    /// A field of the message of a level's open entry, if some column wants it.
    #[inline(always)]
    pub(super) fn field(&mut self, level: Level, field: &Field) {
        let numbers = self.projection.level(level).numbers;
        if field.number < 32 && numbers >> field.number & 1 == 1 {
            self.wanted_field(level, field);
        }
    }

    #[inline(never)]
    fn wanted_field(&mut self, level: Level, field: &Field) {
        if let Some(slot) = self.projection.level(level).plain.get(field.number as usize).copied().flatten() {
            self.fill(slot, field);
        }
    }

    /// A field of the open span's status.
    pub(super) fn status(&mut self, field: &Field) {
        let slots = &self.projection.level(Level::Record).status;
        if let Some(slot) = slots.get(field.number as usize).copied().flatten() {
            self.fill(slot, field);
        }
    }

    /// A field of the open data point.
    #[inline]
    pub(super) fn point(&mut self, kind: PointKind, field: &Field) {
        if let Some(slot) = self.projection.points(kind).get(field.number as usize).copied().flatten() {
            self.fill(slot, field);
        }
    }

    fn fill(&mut self, slot: Slot, field: &Field) {
        let value = value_of(slot.shape, field, self.bytes);
        if let Some(store) = self.cells(slot.column) {
            store.find_last(value, place(field));
        }
    }

    /// A field of the open entry that holds an `AnyValue`, which the walk has read.
    pub(super) fn value(&mut self, level: Level, field: &Field, value: Value<'_>) {
        if let Some(slot) = self.projection.level(level).plain.get(field.number as usize).copied().flatten()
            && let Some(store) = self.cells(slot.column)
        {
            store.find_last(value, place(field));
        }
    }

    /// A value of the open entry that no single field holds.
    pub(super) fn derive(&mut self, column: u16, value: Value<'_>) {
        if let Some(store) = self.cells(column) {
            store.replace_last(value);
        }
    }

    /// Gives the open metric what its data says of it.
    pub(super) fn derive_metric(&mut self, kind: &'static str, temporality: Option<i64>, monotonic: Option<bool>) {
        let projection = self.projection;
        for &column in &projection.level(Level::Metric).columns {
            let value = match projection.columns().get(usize::from(column)).map(|column| &column.field.source) {
                Some(Source::MetricType) => Value::Text(kind.as_bytes()),
                Some(Source::Temporality) => temporality.map_or(Value::Absent, Value::Int),
                Some(Source::Monotonic) => monotonic.map_or(Value::Absent, Value::Bool),
                _ => continue,
            };
            self.derive(column, value);
        }
    }

    /// A point of a histogram or summary has a count, 0 if it is not set; other points have none.
    pub(super) fn derive_point_count(&mut self, kind: PointKind, count: u64) {
        let count_column = self.projection.points(kind).get(4).copied().flatten();
        if let Some(slot) = count_column.filter(|slot| kind != PointKind::Number && slot.shape == Shape::Fixed64) {
            self.derive(slot.column, Value::Int(count as i64));
        }
    }

    /// The ids of the open log record are not valid: it has none.
    pub(super) fn forget_ids(&mut self) {
        let plain = &self.projection.level(Level::Record).plain;
        for slot in plain.iter().flatten().filter(|slot| slot.shape == Shape::Id) {
            self.derive(slot.column, Value::Absent);
        }
    }

    /// The records since `first` are those of the resource that was pushed last.
    pub(super) fn close_resource(&mut self, first: u32) {
        if self.projection.has(Level::Resource) {
            let rows = first..self.layout.records.len() as u32;
            relate(&mut self.relations.resource_of, self.layout.resources.len(), rows);
        }
    }

    /// The records since `first` are those of the scope that was pushed last.
    pub(super) fn close_scope(&mut self, first: u32) {
        if self.projection.has(Level::Scope) {
            let rows = first..self.layout.records.len() as u32;
            relate(&mut self.relations.scope_of, self.layout.scopes.len(), rows);
        }
    }

    /// The records since `first` are those of the metric that was pushed last.
    pub(super) fn close_metric(&mut self, first: u32) {
        if self.projection.has(Level::Metric) {
            let rows = first..self.layout.records.len() as u32;
            relate(&mut self.relations.metric_of, self.layout.metrics.len(), rows);
        }
    }

    /// Ends the batch.
    pub(super) fn end(&mut self) {
        for store in &mut self.columns {
            if let ColumnStore::Attributes(store) = store {
                store.open();
            }
        }
    }

    #[inline]
    fn cells(&mut self, column: u16) -> Option<&mut CellColumn> {
        match self.columns.get_mut(usize::from(column)) {
            Some(ColumnStore::Cells(store)) => Some(store),
            _ => None,
        }
    }
}

fn relate(relation: &mut Vec<u32>, entries: usize, rows: Range<u32>) {
    let index = entries.saturating_sub(1) as u32;
    relation.extend(rows.map(|_| index));
}

/// A column with room for so many records, if it is of records.
fn empty_column(projected: &Projected, rows: usize) -> ColumnStore {
    let tracked = projected.tracked;
    let rows = if projected.field.level == Level::Record { rows } else { 0 };
    match &projected.field.source {
        Source::Attributes => {
            let mut store = AttributeColumn { tracked, ..AttributeColumn::default() };
            store.attributes.starts.reserve(rows);
            ColumnStore::Attributes(store)
        }
        source => ColumnStore::Cells(CellColumn::new(default_of(source), tracked, rows)),
    }
}

/// The kind of a field that is not in the request.
fn default_of(source: &Source) -> Kind {
    match source {
        Source::Plain(_, shape) | Source::Status(_, shape) => match shape {
            Shape::Text => Kind::Text,
            Shape::Int32 | Shape::Uint32 | Shape::Fixed32 | Shape::Fixed64 => Kind::Int,
            Shape::Double | Shape::Id | Shape::Any => Kind::Absent,
        },
        Source::Duration | Source::Count(_) | Source::Point(PointField::Flags) => Kind::Int,
        _ => Kind::Absent,
    }
}

#[inline]
fn value_of<'a>(shape: Shape, field: &Field, bytes: &'a [u8]) -> Value<'a> {
    match (shape, field.payload) {
        (Shape::Text, Payload::Bytes { from, to }) => Value::Text(bytes.get(from..to).unwrap_or_default()),
        (Shape::Id, Payload::Bytes { from, to }) if from < to => Value::Bytes(bytes.get(from..to).unwrap_or_default()),
        (Shape::Int32, Payload::Varint(value)) => Value::Int(i64::from(value as i32)),
        (Shape::Uint32, Payload::Varint(value)) => Value::Int(i64::from(value as u32)),
        (Shape::Fixed32, Payload::Fixed32(value)) => Value::Int(i64::from(value)),
        (Shape::Fixed64, Payload::Fixed64(value)) => Value::Int(value as i64),
        (Shape::Double, Payload::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        _ => Value::Absent,
    }
}

impl CellColumn {
    fn new(default: Kind, tracked: bool, rows: usize) -> Self {
        let cells = Cells { kinds: Vec::with_capacity(rows), words: Vec::with_capacity(rows), data: Vec::new() };
        CellColumn {
            cells,
            tracked,
            default,
            places: Vec::with_capacity(if tracked { rows } else { 0 }),
            repeats: Vec::new(),
            edited: Default::default(),
        }
    }

    #[inline]
    fn open(&mut self) {
        self.cells.kinds.push(self.default as u8);
        self.cells.words.push(0);
        if self.tracked {
            self.places.push(At::NOWHERE);
        }
    }

    /// The value of an attribute: of several with the same key the first counts.
    #[inline]
    fn find_first(&mut self, value: Value<'_>, at: At) {
        if self.cells.kinds.last() == Some(&(Kind::Absent as u8)) {
            self.replace_last(value);
            if let Some(place) = self.places.last_mut() {
                *place = at;
            }
        } else if self.tracked {
            self.repeats.push((self.cells.len() as u32 - 1, at));
        }
    }

    /// The value of a plain field: of several occurrences the last counts, as protobuf says.
    #[inline]
    fn find_last(&mut self, value: Value<'_>, at: At) {
        self.replace_last(value);
        if let Some(place) = self.places.last_mut() {
            if place.is_somewhere() {
                self.repeats.push((self.cells.len() as u32 - 1, *place));
            }
            *place = at;
        }
    }

    #[inline]
    fn replace_last(&mut self, value: Value<'_>) {
        if let Some(last) = self.cells.len().checked_sub(1) {
            self.cells.set(last, value);
        }
    }
}

impl AttributeColumn {
    fn open(&mut self) {
        self.attributes.starts.push(self.attributes.keys.len() as u32);
    }

    /// Adds an attribute to the open entry. Records of one program have the same keys in the same order, and many of
    /// the same values: what is as in the entry before is not copied again, and its word says to plugins that it is
    /// the same.
    fn push(&mut self, key: &[u8], value: Value<'_>, at: At) {
        let before = self.attribute_before();
        let Attributes { keys, values, .. } = &mut self.attributes;
        let known = before.and_then(|before| keys.get(before).copied());
        keys.push(values.keep_unless(known, key));
        match (value, before) {
            (Value::Text(text), Some(before)) if values.kinds.get(before) == Some(&(Kind::Text as u8)) => {
                let known = values.words.get(before).copied();
                let word = values.keep_unless(known, text);
                values.kinds.push(Kind::Text as u8);
                values.words.push(word);
            }
            _ => values.push(value),
        }
        if self.tracked {
            self.places.push(at);
        }
    }

    /// The attribute of the entry before at the position that comes next in the open entry.
    #[inline]
    fn attribute_before(&self) -> Option<usize> {
        let [.., before, open] = self.attributes.starts.as_slice() else { return None };
        let index = *before as usize + (self.attributes.keys.len() - *open as usize);
        (index < *open as usize).then_some(index)
    }
}
