//! The values of the fields that the actions name, during one batch.

use sluicebox_plugin::{Batch, EditField, Edits, Field, Level, RowCells, Rows, Value};

/// A field that some action names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register {
    /// Its column, if its value matters.
    pub read: Option<Field>,
    /// Where it is changed, if it is.
    pub write: Option<EditField>,
    /// What it has one value for.
    pub level: Level,
}

/// What a field is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum New<'a> {
    /// A value of the batch or of the config.
    Known(Value<'a>),
    /// A text made from one.
    Made(String),
}

impl New<'_> {
    /// The value.
    pub fn value(&self) -> Value<'_> {
        match self {
            New::Known(value) => *value,
            New::Made(text) => Value::Text(text),
        }
    }
}

/// The registers of one batch.
pub struct Registers<'a> {
    registers: &'a [Register],
    batch: &'a Batch,
    live: Rows,
    /// For each register, for each entry of its level, what it is set to.
    changes: Vec<Vec<Option<New<'a>>>>,
}

impl<'a> Registers<'a> {
    /// Nothing changed yet.
    pub fn new(registers: &'a [Register], batch: &'a Batch) -> Self {
        let room = |register: &Register| match register.write {
            Some(_) => vec![None; entries(register, batch)],
            None => Vec::new(),
        };
        Registers { registers, batch, live: Rows::live(batch), changes: registers.iter().map(room).collect() }
    }

    /// Sets a register for every entry of its level for which `new` has something; it is given the entry's value of
    /// the register `from`, as it is now.
    pub fn change(&mut self, to: usize, from: usize, mut new: impl FnMut(New<'a>) -> Option<New<'a>>) {
        let (Some(target), Some(source)) = (self.registers.get(to), self.registers.get(from)) else {
            return;
        };
        let mut changes = self.changes.get_mut(to).map(std::mem::take).unwrap_or_default();
        let column = source.read.map_or_else(RowCells::default, |field| self.batch.by_row(field));
        let cells = source.read.map(|field| self.batch.cells(field)).unwrap_or_default();
        for (entry, change) in changes.iter_mut().enumerate() {
            if target.level == Level::Record && !self.live.contains(entry) {
                continue;
            }
            let now = if from == to {
                change.clone().unwrap_or_else(|| New::Known(cells.value(entry)))
            } else if source.level == target.level {
                self.changed(from, entry).unwrap_or_else(|| New::Known(cells.value(entry)))
            } else {
                // A record copies from its resource, scope or metric.
                let above = self.batch.entry(source.level, entry).unwrap_or(usize::MAX);
                self.changed(from, above).unwrap_or_else(|| New::Known(column.value(entry)))
            };
            if let Some(new) = new(now) {
                *change = Some(new);
            }
        }
        if let Some(place) = self.changes.get_mut(to) {
            *place = changes;
        }
    }

    /// Sets a register for every entry of its level.
    pub fn set(&mut self, to: usize, value: Value<'a>) {
        let record = self.registers.get(to).is_some_and(|register| register.level == Level::Record);
        let live = &self.live;
        for (entry, change) in self.changes.get_mut(to).into_iter().flatten().enumerate() {
            if !record || live.contains(entry) {
                *change = Some(New::Known(value));
            }
        }
    }

    fn changed(&self, register: usize, entry: usize) -> Option<New<'a>> {
        self.changes.get(register)?.get(entry)?.clone()
    }

    /// Answers with what is different from what it was.
    pub fn write(&self, edits: &Edits) {
        for (register, changes) in self.registers.iter().zip(&self.changes) {
            let Some(field) = register.write else { continue };
            let before = register.read.map(|field| self.batch.cells(field));
            for (entry, change) in changes.iter().enumerate() {
                let Some(new) = change else { continue };
                if before.is_none_or(|before| before.value(entry) != new.value()) {
                    edits.set(field, entry, new.value());
                }
            }
        }
    }
}

/// How many entries the level of a register has. All that are not of records are read.
fn entries(register: &Register, batch: &Batch) -> usize {
    match register.read {
        Some(field) => batch.cells(field).len(),
        None => batch.rows(),
    }
}
