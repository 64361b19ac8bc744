//! A transform's answer.

use std::cell::RefCell;

use crate::bindings::types;
use crate::value::{keep_slice, slice_at};
use crate::{EditAttributesField, EditField, ToCell};

/// New values of fields: a transform's answer. The last value that an entry is set to counts.
///
/// Every method takes `&self`, so that the fields of one record can be changed independently of each other.
#[derive(Debug, Default)]
pub struct Edits {
    columns: Vec<RefCell<Column>>,
}

impl Edits {
    /// Room for the edits of so many fields, none changed yet.
    pub(crate) fn new(fields: usize) -> Self {
        Edits { columns: (0..fields).map(|_| RefCell::default()).collect() }
    }

    /// Sets the field of an entry of its level: a row for fields of records, the position of a resource for those
    /// of resources. `None` deletes it.
    #[inline]
    pub fn set(&self, field: EditField, entry: usize, value: impl ToCell) {
        self.with(field.column, entry, None, value);
    }

    /// Deletes the field of an entry.
    #[inline]
    pub fn delete(&self, field: EditField, entry: usize) {
        self.set(field, entry, None::<&str>);
    }

    /// Sets one attribute of an entry. `None` deletes it.
    #[inline]
    pub fn set_attribute(&self, field: EditAttributesField, entry: usize, key: &str, value: impl ToCell) {
        self.with(field.column, entry, Some(key), value);
    }

    /// Deletes one attribute of an entry.
    #[inline]
    pub fn delete_attribute(&self, field: EditAttributesField, entry: usize, key: &str) {
        self.set_attribute(field, entry, key, None::<&str>);
    }

    #[inline]
    fn with(&self, column: u32, entry: usize, key: Option<&str>, value: impl ToCell) {
        // No value's `store` comes back here, so the cell is never borrowed twice.
        let column = self.columns.get(column as usize).and_then(|cell| cell.try_borrow_mut().ok());
        if let (Some(mut column), Ok(entry)) = (column, u32::try_from(entry)) {
            column.set(entry, key, value);
        }
    }

    /// The answer: the columns in which something changed.
    pub(crate) fn finish(self) -> Vec<types::Edit> {
        let columns = (0..).zip(self.columns);
        let changed = columns.map(|(field, column)| (field, column.into_inner()));
        changed.filter(|(_, column)| !column.entries.is_empty()).map(|(field, column)| column.finish(field)).collect()
    }
}

/// How many earlier edits of the same entry are searched for the same key at once; with more, the column is
/// settled at the end, so that an entry with thousands of attributes does not cost a million comparisons.
const LOOK_BACK: usize = 16;

/// The edits of one field, in the order in which they were made.
#[derive(Debug, Default)]
struct Column {
    entries: Vec<u32>,
    /// Empty for a field with one value.
    keys: Vec<u64>,
    kinds: Vec<u8>,
    words: Vec<u64>,
    data: Vec<u8>,
    /// Whether entries may be out of order or occur twice.
    unsettled: bool,
}

impl Column {
    #[inline]
    fn set(&mut self, entry: u32, key: Option<&str>, value: impl ToCell) {
        let (kind, word) = value.store(&mut self.data);
        if let Some(at) = self.recent(entry, key)
            && let (Some(old_kind), Some(old_word)) = (self.kinds.get_mut(at), self.words.get_mut(at))
        {
            (*old_kind, *old_word) = (kind, word);
            return;
        }
        self.entries.push(entry);
        if let Some(key) = key {
            let key = self.keep_key(key);
            self.keys.push(key);
        }
        self.kinds.push(kind);
        self.words.push(word);
    }

    /// An earlier edit of the same entry and key, if it is one of the last; says when there may be one further back.
    #[inline]
    fn recent(&mut self, entry: u32, key: Option<&str>) -> Option<usize> {
        let last = *self.entries.last()?;
        if last < entry {
            return None;
        }
        let Some(key) = key else {
            self.unsettled |= last > entry;
            return (last == entry).then(|| self.entries.len() - 1);
        };
        let same_entry = self.entries.iter().rev().take_while(|&&edited| edited == entry);
        let candidates = same_entry.take(LOOK_BACK).count();
        let end = self.entries.len();
        let found = (end - candidates..end).rev().find(|&at| self.key(at) == key.as_bytes());
        self.unsettled |= found.is_none() && (last > entry || candidates == LOOK_BACK);
        found
    }

    /// The word of a key. Entry after entry has the same attribute changed: a key like the last one is not copied again.
    #[inline]
    fn keep_key(&mut self, key: &str) -> u64 {
        match self.keys.last() {
            Some(&last) if slice_at(&self.data, last) == Some(key.as_bytes()) => last,
            _ => keep_slice(&mut self.data, key.as_bytes()),
        }
    }

    fn key(&self, at: usize) -> &[u8] {
        self.keys.get(at).and_then(|&word| slice_at(&self.data, word)).unwrap_or_default()
    }

    fn finish(mut self, field: u32) -> types::Edit {
        if self.unsettled {
            self.settle();
        }
        let values = types::Cells { kinds: self.kinds, words: self.words, data: self.data };
        types::Edit { field, entries: self.entries, keys: self.keys, values }
    }

    /// Sorts by entry and keeps the last edit of each entry and key.
    fn settle(&mut self) {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        let place = |&at: &usize| (self.entries.get(at).copied(), self.key(at));
        // Stable: of two edits of the same place, the later one stays behind the earlier.
        order.sort_by(|a, b| place(a).cmp(&place(b)));
        let last_of_each = order.chunk_by(|a, b| place(a) == place(b)).filter_map(|same| same.last().copied());
        let order: Vec<usize> = last_of_each.collect();
        pick(&mut self.entries, &order);
        pick(&mut self.keys, &order);
        pick(&mut self.kinds, &order);
        pick(&mut self.words, &order);
    }
}

/// The elements at those positions; positions beyond the end are left out.
fn pick<T: Copy>(list: &mut Vec<T>, order: &[usize]) {
    *list = order.iter().filter_map(|&at| list.get(at).copied()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    fn finished(make: impl FnOnce(&Edits)) -> types::Edit {
        let edits = Edits::new(1);
        make(&edits);
        edits.finish().remove(0)
    }

    #[test]
    fn the_last_value_of_an_entry_counts_in_whatever_order_they_are_set() {
        let field = EditField { column: 0, level: Level::Resource };
        let edit = finished(|edits| {
            for (entry, value) in [(2, 1), (0, 2), (2, 3), (2, 4), (1, 5), (0, 6)] {
                edits.set(field, entry, i64::from(value));
            }
        });
        assert_eq!((edit.entries, edit.values.words), (vec![0, 1, 2], vec![6, 5, 4]));
    }

    #[test]
    fn an_attribute_is_edited_once_a_key_however_many_there_are() {
        let field = EditAttributesField::default();
        let edit = finished(|edits| {
            for round in 0..2 {
                for key in 0..1000 {
                    edits.set_attribute(field, 7, &format!("k{key}"), i64::from(key + round));
                }
            }
            edits.delete_attribute(field, 8, "gone");
        });
        assert_eq!(edit.entries.len(), 1001);
        assert_eq!(edit.keys.len(), 1001);
        assert_eq!((edit.entries[1000], edit.values.kinds[1000]), (8, 0));
        let first = slice_at(&edit.values.data, edit.keys[0]).unwrap_or_default();
        assert_eq!((first, edit.values.words[0]), (b"k0".as_slice(), 1));
    }

    #[test]
    fn nothing_set_is_no_edit() {
        assert!(Edits::new(3).finish().is_empty());
    }
}
