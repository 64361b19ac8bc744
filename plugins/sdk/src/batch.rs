//! A batch of records, as the columns that the plugin declared.

use std::ops::Range;

use crate::attributes::AttributeLists;
use crate::bindings::types;
use crate::cells::{Cells, RowCells, RowMap};
use crate::{AttributesField, Field, Level, Rows};

/// A batch of records. A row is a record's position, from 0.
///
/// An earlier stage may have dropped some rows: they are still in the columns, but not [live](Batch::is_live).
#[derive(Debug)]
pub struct Batch {
    pub(crate) inner: types::Batch,
}

impl Batch {
    pub(crate) fn new(inner: types::Batch) -> Self {
        Batch { inner }
    }

    /// How many rows there are, live or not.
    pub fn rows(&self) -> usize {
        self.inner.rows as usize
    }

    /// Whether no earlier stage dropped the row.
    pub fn is_live(&self, row: usize) -> bool {
        row < self.rows() && self.live_byte(row / 8) & 1 << (row % 8) != 0
    }

    /// The rows that no earlier stage dropped.
    pub fn live_rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.rows()).filter(|&row| self.is_live(row))
    }

    /// Bits of the live rows `8 * byte ..`.
    #[inline]
    pub(crate) fn live_byte(&self, byte: usize) -> u8 {
        self.inner.live.as_ref().map_or(0xff, |live| live.get(byte).copied().unwrap_or(0))
    }

    /// The cells of a field: one for each entry of its level.
    pub fn cells(&self, field: Field) -> Cells<'_> {
        match self.inner.columns.get(field.column as usize) {
            Some(types::Column::Cells(cells)) => Cells::new(cells),
            _ => Cells::default(),
        }
    }

    /// The cells of a field as each record sees them. Not for fields of span events and links.
    pub fn by_row(&self, field: Field) -> RowCells<'_> {
        RowCells { cells: self.cells(field), rows: self.row_map(field.level) }
    }

    /// All attributes of each entry of a field's level.
    pub fn attributes(&self, field: AttributesField) -> AttributeLists<'_> {
        match self.inner.columns.get(field.column as usize) {
            Some(types::Column::Attributes(attributes)) => AttributeLists::new(attributes),
            _ => AttributeLists::default(),
        }
    }

    /// The entry of a level that a record belongs to; itself on [`Level::Record`]. Known only for levels of which
    /// a field is read.
    pub fn entry(&self, level: Level, row: usize) -> Option<usize> {
        let entry = self.row_map(level).entry(row);
        (!level.is_many() && entry != usize::MAX).then_some(entry)
    }

    /// The entries of a record among the span events or span links; empty for other levels.
    #[inline]
    pub fn entries(&self, level: Level, row: usize) -> Range<usize> {
        let owners = self.owners(level);
        let start = owners.partition_point(|&owner| (owner as usize) < row);
        let length = owners.get(start..).map_or(0, |rest| rest.partition_point(|&owner| owner as usize == row));
        start..start + length
    }

    /// For each span event or span link, the row of its span; empty for other levels.
    pub fn owners(&self, level: Level) -> &[u32] {
        match level {
            Level::Event => self.relation(types::Level::Event),
            Level::Link => self.relation(types::Level::Link),
            _ => &[],
        }
    }

    /// How records belong to a level; empty if no field of it is read.
    fn relation(&self, level: types::Level) -> &[u32] {
        let relation = self.inner.relations.iter().find(|relation| relation.level == level);
        relation.map_or(&[], |relation| &relation.positions)
    }

    pub(crate) fn row_map(&self, level: Level) -> RowMap<'_> {
        match level {
            Level::Resource => RowMap::by(self.relation(types::Level::Resource)),
            Level::Scope => RowMap::by(self.relation(types::Level::Scope)),
            Level::Metric => RowMap::by(self.relation(types::Level::Metric)),
            Level::Record | Level::Event | Level::Link => RowMap::default(),
        }
    }

    /// The live rows for which the answer is yes.
    #[inline]
    pub fn rows_where(&self, keep: impl FnMut(usize) -> bool) -> Rows {
        let mut rows = Rows::live(self);
        rows.retain(keep);
        rows
    }
}
