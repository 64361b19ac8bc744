//! What a plugin says when it is made: which fields it reads and writes.

use crate::bindings::types;
use crate::level::is_all_attributes;
use crate::{Error, Level};

pub use types::Signal;

/// A field that the plugin reads: names its column in every batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Field {
    pub(crate) column: u32,
    pub(crate) level: Level,
}

impl Field {
    /// What the column has one cell for.
    pub const fn level(self) -> Level {
        self.level
    }
}

/// All attributes of a level, read: names their column in every batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AttributesField {
    pub(crate) column: u32,
    pub(crate) level: Level,
}

impl AttributesField {
    /// What the column has one list of attributes for.
    pub const fn level(self) -> Level {
        self.level
    }
}

/// A field that the plugin writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EditField {
    pub(crate) column: u32,
    pub(crate) level: Level,
}

impl EditField {
    /// What the field has one value for.
    pub const fn level(self) -> Level {
        self.level
    }
}

/// Any attribute of a level, written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EditAttributesField {
    pub(crate) column: u32,
    pub(crate) level: Level,
}

impl EditAttributesField {
    /// What has one list of attributes.
    pub const fn level(self) -> Level {
        self.level
    }
}

/// What a plugin is made with: the signal of its pipeline, and the declaration of its fields.
///
/// The host checks that the paths exist in that signal, and refuses the config with the place of the mistake if
/// not. Declaring the same path twice gives the same column.
#[derive(Debug)]
pub struct Setup {
    signal: Signal,
    reads: Vec<String>,
    writes: Vec<String>,
}

impl Setup {
    pub(crate) fn new(signal: Signal) -> Self {
        Setup { signal, reads: Vec::new(), writes: Vec::new() }
    }

    /// The kind of telemetry of the pipeline.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Reads a field with one value, such as `span.name`.
    pub fn read(&mut self, path: &str) -> Result<Field, Error> {
        one_value(path)?;
        Ok(Field { column: position(&mut self.reads, path), level: Level::of(path) })
    }

    /// Reads all attributes of a level, such as `resource.attributes[*]`.
    pub fn read_attributes(&mut self, path: &str) -> Result<AttributesField, Error> {
        all_attributes(path)?;
        Ok(AttributesField { column: position(&mut self.reads, path), level: Level::of(path) })
    }

    /// Writes a field with one value. Transforms only.
    pub fn write(&mut self, path: &str) -> Result<EditField, Error> {
        one_value(path)?;
        Ok(EditField { column: position(&mut self.writes, path), level: Level::of(path) })
    }

    /// Writes any attribute of a level, such as `span.attributes[*]`. Transforms only.
    pub fn write_attributes(&mut self, path: &str) -> Result<EditAttributesField, Error> {
        all_attributes(path)?;
        Ok(EditAttributesField { column: position(&mut self.writes, path), level: Level::of(path) })
    }

    pub(crate) fn plan(&self, reasons: &[&str]) -> types::Plan {
        let reasons = reasons.iter().map(|&name| name.to_owned()).collect();
        types::Plan { reads: self.reads.clone(), writes: self.writes.clone(), reasons }
    }
}

fn one_value(path: &str) -> Result<(), Error> {
    if is_all_attributes(path) {
        return Err(Error::at(path, "one value is wanted here; name the attribute: attributes[\"key\"]"));
    }
    Ok(())
}

fn all_attributes(path: &str) -> Result<(), Error> {
    if !is_all_attributes(path) {
        return Err(Error::at(path, "all attributes are wanted here: end the path in attributes[*]"));
    }
    Ok(())
}

/// The position of a path in a list, to which it is added if it is not there.
fn position(paths: &mut Vec<String>, path: &str) -> u32 {
    let found = paths.iter().position(|known| known == path);
    let at = found.unwrap_or_else(|| {
        paths.push(path.to_owned());
        paths.len() - 1
    });
    at as u32
}
