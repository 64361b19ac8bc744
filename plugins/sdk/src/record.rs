//! What `#[derive(Record)]` makes: a declaration of fields, and a struct read from each row.

use crate::cells::RowMap;
pub use crate::field::RecordField;
pub use crate::level::is_all_attributes;
use crate::setup::{AttributesField, EditAttributesField, EditField, Field};
use crate::{AttributeLists, Batch, Cells, Edits, Error, Level, Setup};

/// A struct with one field a field of the record; derive it. Each field has the attribute `#[field("path")]`.
///
/// What a field's type may be:
///
/// | type | gives |
/// |---|---|
/// | `&'a str`, `&'a [u8]`, `bool`, `i64`, `u64`, `f64`, `Duration`, `Time`, `TraceId`, `SpanId`, `Value<'a>` | the value; the type's default if it is absent or of another kind |
/// | `Option` of one of these | the value; `None` if it is absent or of another kind |
/// | `Attributes<'a>` | all attributes, for a path that ends in `attributes[*]` |
/// | `Each<'a, T>` of one of the above | one a span event or link, for `span.events.…` and `span.links.…` |
/// | `Edit<'a, T>`, `Edit<'a>` | reads like `T` (or not at all), and can be set; transforms only |
/// | `EditAttributes<'a>` | all attributes, and each can be set; transforms only |
///
/// A type that does not go with its path does not compile:
///
/// ```compile_fail,E0080
/// # use sluicebox_plugin::prelude::*;
/// #[derive(Record)]
/// struct Wrong<'a> {
///     #[field("span.events.name")]
///     name: &'a str, // a span has any number of them: Each<'a, &'a str>
/// }
/// ```
///
/// ```compile_fail,E0080
/// # use sluicebox_plugin::prelude::*;
/// #[derive(Record)]
/// struct Wrong<'a> {
///     #[field("span.attributes[*]")]
///     all: Value<'a>, // Attributes<'a>
/// }
/// ```
///
/// ```
/// # use sluicebox_plugin::prelude::*;
/// #[derive(Record)]
/// struct Right<'a> {
///     #[field("span.events.attributes[*]")]
///     events: Each<'a, Attributes<'a>>,
///     #[field("span.events.name")]
///     names: Each<'a, Option<&'a str>>,
/// }
/// ```
pub trait Record<'a>: Sized {
    /// The columns, bound to one batch.
    #[doc(hidden)]
    type Columns;

    /// Whether a field can be set: allowed in transforms only.
    #[doc(hidden)]
    const WRITES: bool;

    #[doc(hidden)]
    fn declare(setup: &mut Setup) -> Result<Vec<Slot>, Error>;

    #[doc(hidden)]
    fn bind(frame: Frame<'a>, slots: &[Slot]) -> Self::Columns;

    #[doc(hidden)]
    fn read(columns: &Self::Columns, row: usize) -> Self;
}

/// Where a declared field is found in every batch, and where its edits go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    pub(crate) read: Option<u32>,
    pub(crate) write: Option<u32>,
    pub(crate) level: Level,
}

impl Slot {
    /// Declares what a field of a record needs.
    pub(crate) fn declare(path: &str, reads: bool, writes: bool, setup: &mut Setup) -> Result<Slot, Error> {
        let level = Level::of(path);
        let (mut read, mut write) = (None, None);
        // Which resource, scope or metric a row has is told only of levels of which something is read.
        let reads = reads || (writes && level != Level::Record);
        if is_all_attributes(path) {
            if reads {
                read = Some(setup.read_attributes(path)?.column);
            }
            if writes {
                write = Some(setup.write_attributes(path)?.column);
            }
        } else {
            if reads {
                read = Some(setup.read(path)?.column);
            }
            if writes {
                write = Some(setup.write(path)?.column);
            }
        }
        Ok(Slot { read, write, level })
    }

    /// The slot at a position: the derive declares and binds in the same order.
    #[doc(hidden)]
    pub fn at(slots: &[Slot], position: usize) -> Slot {
        slots.get(position).copied().unwrap_or_default()
    }

    pub(crate) fn edit_field(self) -> EditField {
        EditField { column: self.write.unwrap_or(u32::MAX), level: self.level }
    }

    pub(crate) fn edit_attributes_field(self) -> EditAttributesField {
        EditAttributesField { column: self.write.unwrap_or(u32::MAX), level: self.level }
    }
}

/// One call: the batch, and where edits go.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) edits: &'a Edits,
}

impl<'a> Frame<'a> {
    pub(crate) fn cells(self, slot: Slot) -> Cells<'a> {
        slot.read.map_or_else(Cells::default, |column| self.batch.cells(Field { column, level: slot.level }))
    }

    pub(crate) fn attributes(self, slot: Slot) -> AttributeLists<'a> {
        let field = |column| AttributesField { column, level: slot.level };
        slot.read.map_or_else(AttributeLists::default, |column| self.batch.attributes(field(column)))
    }

    pub(crate) fn row_map(self, slot: Slot) -> RowMap<'a> {
        self.batch.row_map(slot.level)
    }
}
