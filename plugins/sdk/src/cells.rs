//! Columns of cells.

use crate::FromCell;
use crate::bindings::types;
use crate::value::{Cell, Value};

/// The cells of one field: one for each entry of the field's level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cells<'a> {
    kinds: &'a [u8],
    words: &'a [u64],
    data: &'a [u8],
}

impl<'a> Cells<'a> {
    pub(crate) fn new(cells: &'a types::Cells) -> Self {
        Cells { kinds: &cells.kinds, words: &cells.words, data: &cells.data }
    }

    /// How many entries the field's level has.
    pub const fn len(self) -> usize {
        self.kinds.len()
    }

    /// Whether the level has no entry.
    pub const fn is_empty(self) -> bool {
        self.kinds.is_empty()
    }

    #[inline]
    pub(crate) fn cell(self, entry: usize) -> Cell<'a> {
        match (self.kinds.get(entry), self.words.get(entry)) {
            (Some(&kind), Some(&word)) => Cell { kind, word, data: self.data },
            _ => Cell::ABSENT,
        }
    }

    /// The value of an entry; absent beyond the end.
    #[inline]
    pub fn value(self, entry: usize) -> Value<'a> {
        self.cell(entry).value()
    }

    /// The value of an entry as a type, if it is of that type.
    #[inline]
    pub fn get<T: FromCell<'a>>(self, entry: usize) -> Option<T> {
        T::from_cell(self.cell(entry))
    }

    /// The bytes that a word names, for keys of attributes.
    #[inline]
    pub(crate) fn slice(self, word: u64) -> &'a [u8] {
        crate::value::slice_at(self.data, word).unwrap_or_default()
    }
}

/// The cells of a field, by the record that they belong to: all records of a resource see its one cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowCells<'a> {
    pub(crate) cells: Cells<'a>,
    pub(crate) rows: RowMap<'a>,
}

impl<'a> RowCells<'a> {
    /// The value that a record sees.
    #[inline]
    pub fn value(self, row: usize) -> Value<'a> {
        self.cells.value(self.rows.entry(row))
    }

    /// The value that a record sees as a type, if it is of that type.
    #[inline]
    pub fn get<T: FromCell<'a>>(self, row: usize) -> Option<T> {
        self.cells.get(self.rows.entry(row))
    }
}

/// From a record to its entry of another level that it has exactly one of.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowMap<'a> {
    /// None: the level is that of the records themselves.
    entry_of: Option<&'a [u32]>,
}

impl<'a> RowMap<'a> {
    /// By the position of each record's own entry.
    pub(crate) const fn by(entry_of: &'a [u32]) -> Self {
        RowMap { entry_of: Some(entry_of) }
    }

    /// The entry of a record; one that no level has if the host gave none.
    #[inline]
    pub(crate) fn entry(self, row: usize) -> usize {
        match self.entry_of {
            None => row,
            Some(entry_of) => entry_of.get(row).map_or(usize::MAX, |&entry| entry as usize),
        }
    }
}
