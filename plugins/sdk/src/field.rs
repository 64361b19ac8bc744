//! What the fields of a `#[derive(Record)]` struct can be.

use crate::cells::RowMap;
use crate::record::{Frame, Slot};
use crate::setup::{EditAttributesField, EditField};
use crate::{AttributeLists, Attributes, Cells, Edits, Error, FromCell, Level, Setup, ToCell};

/// A type that a field of a record struct can have, as seen from a row.
#[doc(hidden)]
pub trait RecordField<'a>: Sized {
    type Column;
    /// Whether its path is one of span events or links.
    const MANY: bool;
    /// Whether its path ends in `attributes[*]`.
    const ALL_ATTRIBUTES: bool;
    const WRITES: bool;

    fn declare(path: &str, setup: &mut Setup) -> Result<Slot, Error>;
    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column;
    fn read(column: &Self::Column, row: usize) -> Self;
}

/// A type that one entry of a level can be read as.
#[doc(hidden)]
pub trait EntryField<'a>: Sized {
    type Column: Copy;
    const ALL_ATTRIBUTES: bool = false;
    const READS: bool = true;
    const WRITES: bool = false;

    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column;
    fn read(column: &Self::Column, entry: usize) -> Self;
}

impl<'a, T: EntryField<'a>> RecordField<'a> for T {
    type Column = (T::Column, RowMap<'a>);
    const MANY: bool = false;
    const ALL_ATTRIBUTES: bool = T::ALL_ATTRIBUTES;
    const WRITES: bool = T::WRITES;

    fn declare(path: &str, setup: &mut Setup) -> Result<Slot, Error> {
        Slot::declare(path, T::READS, T::WRITES, setup)
    }

    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column {
        (T::bind(frame, slot), frame.row_map(slot))
    }

    #[inline]
    fn read((column, rows): &Self::Column, row: usize) -> Self {
        T::read(column, rows.entry(row))
    }
}

impl<'a, T: FromCell<'a>> EntryField<'a> for T {
    type Column = Cells<'a>;

    fn bind(frame: Frame<'a>, slot: Slot) -> Cells<'a> {
        frame.cells(slot)
    }

    #[inline]
    fn read(cells: &Cells<'a>, entry: usize) -> Self {
        cells.get(entry).unwrap_or_default()
    }
}

impl<'a, T: FromCell<'a>> EntryField<'a> for Option<T> {
    type Column = Cells<'a>;

    fn bind(frame: Frame<'a>, slot: Slot) -> Cells<'a> {
        frame.cells(slot)
    }

    #[inline]
    fn read(cells: &Cells<'a>, entry: usize) -> Self {
        cells.get(entry)
    }
}

impl<'a> EntryField<'a> for Attributes<'a> {
    type Column = AttributeLists<'a>;
    const ALL_ATTRIBUTES: bool = true;

    fn bind(frame: Frame<'a>, slot: Slot) -> AttributeLists<'a> {
        frame.attributes(slot)
    }

    #[inline]
    fn read(lists: &AttributeLists<'a>, entry: usize) -> Self {
        lists.of(entry)
    }
}

/// Reads nothing: `Edit<'a>` is for fields that are only set.
impl<'a> EntryField<'a> for () {
    type Column = ();
    const READS: bool = false;

    fn bind(_: Frame<'a>, _: Slot) {}

    #[inline]
    fn read(_: &(), _: usize) {}
}

/// A field that a transform can set; also read, as `T`, unless that is `()`.
///
/// A field of a resource, scope or metric is shared by all its records: whichever record sets it last counts, and
/// no record reads what another set.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a, T = ()> {
    value: T,
    field: EditField,
    entry: usize,
    edits: &'a Edits,
}

impl<T: Copy> Edit<'_, T> {
    /// The value before this call.
    pub fn get(&self) -> T {
        self.value
    }
}

impl<T> Edit<'_, T> {
    /// Sets the field; `None` deletes it.
    #[inline]
    pub fn set(&self, value: impl ToCell) {
        self.edits.set(self.field, self.entry, value);
    }

    /// Deletes the field.
    #[inline]
    pub fn delete(&self) {
        self.edits.delete(self.field, self.entry);
    }
}

impl<'a, T: EntryField<'a>> EntryField<'a> for Edit<'a, T> {
    type Column = (T::Column, EditField, &'a Edits);
    const READS: bool = T::READS;
    const WRITES: bool = true;

    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column {
        (T::bind(frame, slot), slot.edit_field(), frame.edits)
    }

    #[inline]
    fn read((column, field, edits): &Self::Column, entry: usize) -> Self {
        Edit { value: T::read(column, entry), field: *field, entry, edits }
    }
}

/// All attributes of an entry, each of which a transform can set.
#[derive(Clone, Copy, Debug)]
pub struct EditAttributes<'a> {
    attributes: Attributes<'a>,
    field: EditAttributesField,
    entry: usize,
    edits: &'a Edits,
}

impl<'a> EditAttributes<'a> {
    /// The attributes before this call.
    pub fn iter(&self) -> Attributes<'a> {
        self.attributes
    }

    /// Sets an attribute; `None` deletes it.
    #[inline]
    pub fn set(&self, key: &str, value: impl ToCell) {
        self.edits.set_attribute(self.field, self.entry, key, value);
    }

    /// Deletes an attribute.
    #[inline]
    pub fn delete(&self, key: &str) {
        self.edits.delete_attribute(self.field, self.entry, key);
    }
}

impl<'a> EntryField<'a> for EditAttributes<'a> {
    type Column = (AttributeLists<'a>, EditAttributesField, &'a Edits);
    const ALL_ATTRIBUTES: bool = true;
    const WRITES: bool = true;

    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column {
        (frame.attributes(slot), slot.edit_attributes_field(), frame.edits)
    }

    #[inline]
    fn read((lists, field, edits): &Self::Column, entry: usize) -> Self {
        EditAttributes { attributes: lists.of(entry), field: *field, entry, edits }
    }
}

/// One `T` for each event or link of a span, in their order: an iterator.
pub struct Each<'a, T: EntryField<'a>> {
    column: T::Column,
    at: usize,
    end: usize,
}

impl<'a, T: EntryField<'a>> Iterator for Each<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        (self.at < self.end).then(|| {
            self.at += 1;
            T::read(&self.column, self.at - 1)
        })
    }
}

impl<'a, T: EntryField<'a>> RecordField<'a> for Each<'a, T> {
    type Column = (T::Column, Frame<'a>, Level);
    const MANY: bool = true;
    const ALL_ATTRIBUTES: bool = T::ALL_ATTRIBUTES;
    const WRITES: bool = T::WRITES;

    fn declare(path: &str, setup: &mut Setup) -> Result<Slot, Error> {
        Slot::declare(path, T::READS, T::WRITES, setup)
    }

    fn bind(frame: Frame<'a>, slot: Slot) -> Self::Column {
        (T::bind(frame, slot), frame, slot.level)
    }

    #[inline]
    fn read((column, frame, level): &Self::Column, row: usize) -> Self {
        let entries = frame.batch.entries(*level, row);
        Each { column: *column, at: entries.start, end: entries.end }
    }
}
