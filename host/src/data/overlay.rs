//! The overlay: a transform's answer, held against its plan and then applied to the columns.
//!
//! The bytes of the request are not touched: columns hold the new values, and note which entries were edited, for the
//! next plugin of the chain and for the splice. A single attribute and `attributes[*]` of the same level are two views
//! of one thing, so an edit of one is made in the other too.

use super::batch::{At, AttributeColumn, Batch, CellColumn, ColumnStore};
use super::column::{Edit, Kind, Value, slice_of};
use super::field::{Field, Shape, Source};
use super::walk::{check_array, check_list};

/// An answer of a plugin that does not fit its plan or the batch. Nothing of it is applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts say it")]
pub enum AnswerProblem {
    #[error("the bitmap has {got} bytes where {rows} rows need {expected}")]
    Bitmap { got: usize, rows: usize, expected: usize },
    #[error("there are {got} decisions for {rows} rows")]
    Decisions { got: usize, rows: usize },
    #[error("the probability of row {row} is not a number from 0 to 1")]
    Probability { row: usize },
    #[error("row {row} names reason {reason}, but the plan has {reasons}")]
    Reason { row: usize, reason: u8, reasons: usize },
    #[error("an edit names field {field}, but the plan writes {fields} fields")]
    UndeclaredField { field: u32, fields: usize },
    #[error("two edits name field {field}")]
    FieldTwice { field: u32 },
    #[error("the edit of field {field} has {entries} entries, {keys} keys, {kinds} kinds and {words} words")]
    Lengths { field: u32, entries: usize, keys: usize, kinds: usize, words: usize },
    #[error("the edit of field {field} names entry {entry}, which is not in the batch or out of order")]
    Entry { field: u32, entry: u32 },
    #[error("the edit of field {field} has a value of kind {kind}, which that field cannot have")]
    Kind { field: u32, kind: u8 },
    #[error("the edit of field {field} has a value that lies outside its data")]
    Slice { field: u32 },
    #[error("the edit of field {field} has text that is not valid UTF-8")]
    Text { field: u32 },
    #[error("the edit of field {field} has a nested value that is malformed or too deep")]
    Nested { field: u32 },
    #[error("the edit of field {field} has a number that does not fit 32 bits")]
    Range { field: u32 },
}

/// Nested values of an answer may be as deep as those of a request by default.
const ANSWER_DEPTH_MAX: usize = 32;

impl Batch {
    /// Applies a transform's answer; `writes` are the positions in the projection of the fields that its plan writes.
    /// The answer is how many values were set or deleted.
    ///
    /// # Errors
    /// [`AnswerProblem`] if any edit does not fit; then nothing was applied.
    pub fn apply(&mut self, writes: &[usize], edits: &[Edit]) -> Result<u64, AnswerProblem> {
        let mut seen = vec![false; writes.len()];
        for edit in edits {
            self.check(writes, edit, &mut seen)?;
        }
        for edit in edits {
            if let Some(&column) = writes.get(edit.field as usize) {
                self.apply_edit(column, edit);
            }
        }
        Ok(edits.iter().map(|edit| edit.entries.len() as u64).sum())
    }

    fn check(&self, writes: &[usize], edit: &Edit, seen: &mut [bool]) -> Result<(), AnswerProblem> {
        let field = edit.field;
        let undeclared = AnswerProblem::UndeclaredField { field, fields: writes.len() };
        let column = *writes.get(field as usize).ok_or(undeclared)?;
        match seen.get_mut(field as usize) {
            Some(true) | None => return Err(AnswerProblem::FieldTwice { field }),
            Some(seen) => *seen = true,
        }
        let Some(projected) = self.projection.columns().get(column) else { return Ok(()) };
        let all = projected.field.source == Source::Attributes;
        check_entries(edit, all, self.entries(projected.field.level))?;
        check_values(edit, &projected.field)?;
        if all { check_keys(edit) } else { Ok(()) }
    }

    fn apply_edit(&mut self, column: usize, edit: &Edit) {
        let projection = self.projection.clone();
        let Some(field) = projection.columns().get(column).map(|projected| &projected.field) else { return };
        let table = projection.level(field.level);
        match self.columns.get_mut(column) {
            Some(ColumnStore::Cells(store)) => {
                store.apply(edit);
                if let (Source::Attribute(key), Some(all)) = (&field.source, table.all)
                    && let Some(ColumnStore::Attributes(store)) = self.columns.get_mut(usize::from(all))
                {
                    store.apply(edit, |_| key.as_bytes());
                }
            }
            Some(ColumnStore::Attributes(store)) => {
                store.apply(edit, |index| key_of(edit, index));
                for (index, &entry) in edit.entries.iter().enumerate() {
                    if let Some(column) = table.keys.find(key_of(edit, index))
                        && let Some(ColumnStore::Cells(store)) = self.columns.get_mut(usize::from(column))
                    {
                        store.set(entry, edit.values.value(index));
                    }
                }
            }
            None => {}
        }
    }

    /// Sets one value of a plain column: for edits that the host itself makes.
    pub fn set(&mut self, column: usize, entry: u32, value: Value<'_>) {
        if let Some(ColumnStore::Cells(store)) = self.columns.get_mut(column) {
            store.set(entry, value);
        }
    }

    /// The value of a plain column.
    pub fn value(&self, column: usize, entry: usize) -> Value<'_> {
        match self.columns.get(column) {
            Some(ColumnStore::Cells(store)) => store.cells.value(entry),
            _ => Value::Absent,
        }
    }
}

fn key_of(edit: &Edit, index: usize) -> &[u8] {
    edit.keys.get(index).and_then(|key| edit.values.data.get(slice_of(*key))).unwrap_or_default()
}

fn check_entries(edit: &Edit, all: bool, entries: usize) -> Result<(), AnswerProblem> {
    let Edit { field, keys, values, .. } = edit;
    let count = edit.entries.len();
    let expected_keys = if all { count } else { 0 };
    if values.kinds.len() != count || values.words.len() != count || keys.len() != expected_keys {
        return Err(AnswerProblem::Lengths {
            field: *field,
            entries: count,
            keys: keys.len(),
            kinds: values.kinds.len(),
            words: values.words.len(),
        });
    }
    let mut next = 0;
    for &entry in &edit.entries {
        if entry < next || entry as usize >= entries {
            return Err(AnswerProblem::Entry { field: *field, entry });
        }
        next = if all { entry } else { entry + 1 };
    }
    Ok(())
}

fn check_values(edit: &Edit, field: &Field) -> Result<(), AnswerProblem> {
    let number = edit.field;
    for (&kind, &word) in edit.values.kinds.iter().zip(&edit.values.words) {
        let wrong = AnswerProblem::Kind { field: number, kind };
        let kind = Kind::from_number(kind).filter(|kind| may_be(*kind, &field.source)).ok_or(wrong)?;
        if kind == Kind::Int && is_int32(&field.source) && i32::try_from(word as i64).is_err() {
            return Err(AnswerProblem::Range { field: number });
        }
        if !kind.is_slice() {
            continue;
        }
        let data = &edit.values.data;
        let slice = data.get(slice_of(word)).ok_or(AnswerProblem::Slice { field: number })?;
        match kind {
            Kind::Text if simdutf8::basic::from_utf8(slice).is_err() => {
                return Err(AnswerProblem::Text { field: number });
            }
            Kind::Array => check_array(data, slice_of(word), ANSWER_DEPTH_MAX)
                .map_err(|_| AnswerProblem::Nested { field: number })?,
            Kind::KvList => check_list(data, slice_of(word), ANSWER_DEPTH_MAX)
                .map_err(|_| AnswerProblem::Nested { field: number })?,
            _ => {}
        }
    }
    Ok(())
}

fn check_keys(edit: &Edit) -> Result<(), AnswerProblem> {
    for &key in &edit.keys {
        let slice = edit.values.data.get(slice_of(key)).ok_or(AnswerProblem::Slice { field: edit.field })?;
        if simdutf8::basic::from_utf8(slice).is_err() {
            return Err(AnswerProblem::Text { field: edit.field });
        }
    }
    Ok(())
}

/// Whether a field can have a value of that kind; absent always means its default.
fn may_be(kind: Kind, source: &Source) -> bool {
    let shape = match source {
        Source::Attribute(_) | Source::Attributes => return true,
        Source::Plain(_, shape) | Source::Status(_, shape) => *shape,
        _ => return false,
    };
    match kind {
        Kind::Absent => true,
        Kind::Text => matches!(shape, Shape::Text | Shape::Any),
        Kind::Int => matches!(shape, Shape::Int32 | Shape::Any),
        _ => shape == Shape::Any,
    }
}

fn is_int32(source: &Source) -> bool {
    matches!(source, Source::Plain(_, Shape::Int32) | Source::Status(_, Shape::Int32))
}

impl CellColumn {
    fn apply(&mut self, edit: &Edit) {
        for (index, &entry) in edit.entries.iter().enumerate() {
            self.set(entry, edit.values.value(index));
        }
    }

    fn set(&mut self, entry: u32, value: Value<'_>) {
        self.edited.insert(entry as usize);
        match (value, self.default) {
            (Value::Absent, Kind::Text) => self.cells.set(entry as usize, Value::Text(b"")),
            (Value::Absent, Kind::Int) => self.cells.set(entry as usize, Value::Int(0)),
            _ => self.cells.set(entry as usize, value),
        }
    }
}

impl AttributeColumn {
    /// Applies edits whose keys `key` tells: in place if every key is there and none is deleted, else by a rebuild.
    fn apply<'k>(&mut self, edit: &Edit, key: impl Fn(usize) -> &'k [u8]) {
        if !self.set_in_place(edit, &key) {
            self.rebuild(edit, &key);
        }
        edit.entries.iter().for_each(|&entry| self.edited.insert(entry as usize));
    }

    fn range(&self, entry: u32) -> std::ops::Range<usize> {
        let start = |index: usize| self.attributes.starts.get(index).map_or(0, |start| *start as usize);
        start(entry as usize)..start(entry as usize + 1)
    }

    /// The key of one attribute.
    pub fn key(&self, index: usize) -> &[u8] {
        self.attributes
            .keys
            .get(index)
            .and_then(|key| self.attributes.values.data.get(slice_of(*key)))
            .unwrap_or_default()
    }

    /// Whether one attribute has that key. Keys mostly differ in length.
    #[inline]
    fn has_key(&self, index: usize, key: &[u8]) -> bool {
        let word = self.attributes.keys.get(index).copied().unwrap_or(0);
        slice_of(word).len() == key.len() && self.key(index) == key
    }

    fn set_in_place<'k>(&mut self, edit: &Edit, key: &impl Fn(usize) -> &'k [u8]) -> bool {
        let mut found = Vec::with_capacity(edit.entries.len());
        for (index, &entry) in edit.entries.iter().enumerate() {
            let wanted = key(index);
            let mut matches = self.range(entry).filter(|&at| self.has_key(at, wanted));
            match (matches.next(), matches.next()) {
                (Some(at), None) if edit.values.kinds.get(index) != Some(&(Kind::Absent as u8)) => found.push(at),
                _ => return false,
            }
        }
        self.set.resize(self.attributes.keys.len(), false);
        for (index, at) in found.into_iter().enumerate() {
            self.attributes.values.set(at, edit.values.value(index));
            if let Some(set) = self.set.get_mut(at) {
                *set = true;
            }
        }
        true
    }

    fn rebuild<'k>(&mut self, edit: &Edit, key: &impl Fn(usize) -> &'k [u8]) {
        let mut new = AttributeColumn {
            tracked: self.tracked,
            cuts: std::mem::take(&mut self.cuts),
            edited: std::mem::take(&mut self.edited),
            ..AttributeColumn::default()
        };
        new.attributes.values.data = std::mem::take(&mut self.attributes.values.data);
        let entries = self.attributes.starts.len().saturating_sub(1) as u32;
        let mut edits = 0..0;
        for entry in 0..entries {
            edits = edits.end..edits.end + edit.entries.iter().skip(edits.end).take_while(|&&e| e == entry).count();
            new.attributes.starts.push(new.attributes.keys.len() as u32);
            self.rebuild_entry(&mut new, entry, edit, edits.clone(), key);
        }
        new.attributes.starts.push(new.attributes.keys.len() as u32);
        new.cuts.sort_by_key(|(entry, _)| *entry);
        *self = new;
    }

    fn rebuild_entry<'k>(
        &self,
        new: &mut AttributeColumn,
        entry: u32,
        edit: &Edit,
        edits: std::ops::Range<usize>,
        key: &impl Fn(usize) -> &'k [u8],
    ) {
        let mut done = vec![false; edits.len()];
        for at in self.range(entry) {
            let place = self.places.get(at).copied().unwrap_or(At::NOWHERE);
            let word = self.attributes.keys.get(at).copied().unwrap_or(0);
            let old_key = new.attributes.values.data.get(slice_of(word)).unwrap_or_default();
            // Of several edits of one key the last counts.
            let hit = edits.clone().rev().find(|&index| key(index) == old_key);
            let Some(index) = hit else {
                let kind = self.attributes.values.kinds.get(at).copied().unwrap_or(0);
                let value = self.attributes.values.words.get(at).copied().unwrap_or(0);
                new.push_stored(word, kind, value, place, self.set.get(at).copied().unwrap_or(false));
                continue;
            };
            let value = edit.values.value(index);
            let is_first = !done.get(index - edits.start).copied().unwrap_or(true);
            let same_key = edits.clone().filter(|&other| key(other) == key(index));
            same_key.for_each(|other| done.get_mut(other - edits.start).into_iter().for_each(|done| *done = true));
            if is_first && value != Value::Absent {
                new.push_value(word, value, place);
            } else if place.is_somewhere() {
                new.cuts.push((entry, place));
            }
        }
        for index in edits.clone() {
            let later_same = || (index + 1..edits.end).any(|other| key(other) == key(index));
            let value = edit.values.value(index);
            if !done.get(index - edits.start).copied().unwrap_or(true) && value != Value::Absent && !later_same() {
                let word = new.attributes.values.keep(key(index));
                new.push_value(word, value, At::NOWHERE);
            }
        }
    }

    fn push_stored(&mut self, key: u64, kind: u8, word: u64, place: At, set: bool) {
        self.attributes.keys.push(key);
        self.attributes.values.kinds.push(kind);
        self.attributes.values.words.push(word);
        self.push_place(place, set);
    }

    fn push_value(&mut self, key: u64, value: Value<'_>, place: At) {
        self.attributes.keys.push(key);
        self.attributes.values.push(value);
        self.push_place(place, true);
    }

    fn push_place(&mut self, place: At, set: bool) {
        if self.tracked {
            self.places.push(place);
        }
        self.set.push(set);
    }
}

impl ColumnStore {
    /// Entries that were edited.
    pub fn edited(&self) -> &super::bitmap::Bitmap {
        match self {
            ColumnStore::Cells(store) => &store.edited,
            ColumnStore::Attributes(store) => &store.edited,
        }
    }
}
