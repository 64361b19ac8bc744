//! The projection: the union of the fields that the plugins of a chain read and write, arranged for the walk.

use super::Signal;
use super::field::{Field, Level, PointField, Shape, Source};

/// Fields of one projection at most: their positions are kept in 16 bits, and nobody needs more.
pub const FIELDS_MAX: usize = 1024;

/// Field numbers below this may be projected; OTLP's records use 16 at most.
pub const NUMBERS: usize = 32;

/// A chain that asks for more than [`FIELDS_MAX`] fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugins of one pipeline read and write more than {FIELDS_MAX} fields: use `attributes[*]` instead")]
pub struct TooManyFields;

/// The union of a chain's fields. A field's position in it is the position of its column in a batch.
#[derive(Clone, Debug)]
pub struct Projection {
    signal: Signal,
    columns: Vec<Projected>,
    /// By [`level_index`].
    levels: [LevelTable; LEVELS],
    /// By [`PointKind`]: where plain fields of data points lie.
    points: [Slots; 4],
}

/// One field of a projection.
#[derive(Clone, Debug)]
pub struct Projected {
    /// The field.
    pub field: Field,
    /// Whether some stage may edit it, so that the walk notes where each value lies.
    pub tracked: bool,
}

/// Data points that share one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// `NumberDataPoint`.
    Number = 0,
    /// `HistogramDataPoint`.
    Histogram = 1,
    /// `ExponentialHistogramDataPoint`.
    Exponential = 2,
    /// `SummaryDataPoint`.
    Summary = 3,
}

/// A column that the walk fills from a field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Position of the column.
    pub column: u16,
    /// How the value is encoded.
    pub shape: Shape,
}

/// Columns by field number.
pub type Slots = [Option<Slot>; NUMBERS];

/// What the walk looks for at one level.
#[derive(Clone, Debug, Default)]
pub struct LevelTable {
    /// Bits of the field numbers that `plain` has a column for: most fields are ruled out by this alone.
    pub numbers: u32,
    /// Columns by field number of the level's message (not of data points: see [`Projection::points`]).
    pub plain: Slots,
    /// Bits of the field numbers that `status` has a column for.
    pub status_numbers: u32,
    /// Columns by field number of a span's status.
    pub status: Slots,
    /// Columns of single attributes.
    pub keys: Keys,
    /// The column of all attributes.
    pub all: Option<u16>,
    /// The column of the span's duration.
    pub duration: Option<u16>,
    /// Columns that count how often a repeated field occurs.
    pub counts: Vec<(u32, u16)>,
    /// All columns of the level.
    pub columns: Vec<u16>,
}

/// Attribute keys that a chain asks for; most keys of a record are told apart by their length alone.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    lengths: u64,
    entries: Vec<(Box<[u8]>, u16)>,
}

impl Keys {
    fn add(&mut self, key: &str, column: u16) {
        self.lengths |= 1 << key.len().min(63);
        self.entries.push((key.as_bytes().into(), column));
    }

    /// The column of that key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<u16> {
        if self.lengths >> key.len().min(63) & 1 == 0 {
            return None;
        }
        self.entries.iter().find(|(wanted, _)| wanted.as_ref() == key).map(|(_, column)| *column)
    }
}

const LEVELS: usize = 6;

const fn level_index(level: Level) -> usize {
    level as usize
}

impl Projection {
    /// A projection of nothing: the walk proves requests well-formed and finds their records.
    pub fn empty(signal: Signal) -> Self {
        Projection { signal, columns: Vec::new(), levels: Default::default(), points: [[None; NUMBERS]; 4] }
    }

    /// The signal whose requests it is for.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The column of a field, which is added if it is new; `tracked` if it may be edited.
    pub fn add(&mut self, field: &Field, tracked: bool) -> Result<usize, TooManyFields> {
        if let Some(column) = self.columns.iter().position(|known| known.field == *field) {
            if let Some(known) = self.columns.get_mut(column) {
                known.tracked |= tracked;
            }
            return Ok(column);
        }
        let column = self.columns.len();
        if column >= FIELDS_MAX {
            return Err(TooManyFields);
        }
        self.columns.push(Projected { field: field.clone(), tracked });
        self.arrange(field, column as u16);
        Ok(column)
    }

    fn arrange(&mut self, field: &Field, column: u16) {
        if let Source::Point(point) = field.source {
            for (kind, slots) in self.points.iter_mut().enumerate() {
                for &(number, shape) in point_slots(point, kind) {
                    place(slots, number, column, shape);
                }
            }
        }
        if field.level == Level::Record
            && self.signal == Signal::Metrics
            && let Source::Plain(number, shape) = field.source
        {
            // Start and end of all kinds of points have the same numbers.
            self.points.iter_mut().for_each(|slots| place(slots, number, column, shape));
        }
        let table = &mut self.levels[level_index(field.level)];
        table.columns.push(column);
        match &field.source {
            Source::Attribute(key) => table.keys.add(key, column),
            Source::Attributes => table.all = Some(column),
            Source::Plain(number, shape) => {
                table.numbers |= 1u32.checked_shl(*number).unwrap_or(0);
                place(&mut table.plain, *number, column, *shape);
            }
            Source::Status(number, shape) => {
                table.status_numbers |= 1u32.checked_shl(*number).unwrap_or(0);
                place(&mut table.status, *number, column, *shape);
            }
            Source::Duration => table.duration = Some(column),
            Source::Count(number) => table.counts.push((*number, column)),
            Source::MetricType | Source::Temporality | Source::Monotonic | Source::Point(_) => {}
        }
    }

    /// The fields, in the order of their columns.
    pub fn columns(&self) -> &[Projected] {
        &self.columns
    }

    /// What to look for at a level.
    #[inline]
    pub fn level(&self, level: Level) -> &LevelTable {
        &self.levels[level_index(level)]
    }

    /// What to look for in data points of a kind.
    #[inline]
    pub fn points(&self, kind: PointKind) -> &Slots {
        &self.points[kind as usize]
    }

    /// Whether any field of a level is projected.
    pub fn has(&self, level: Level) -> bool {
        !self.level(level).columns.is_empty()
    }
}

fn place(slots: &mut Slots, number: u32, column: u16, shape: Shape) {
    if let Some(slot) = slots.get_mut(number as usize) {
        *slot = Some(Slot { column, shape });
    }
}

/// Field numbers of data points, by the kind of the point (opentelemetry-proto, metrics.proto).
fn point_slots(field: PointField, kind: usize) -> &'static [(u32, Shape)] {
    use Shape::{Double, Fixed64, Uint32};
    match (field, kind) {
        (PointField::Value, 0) => &[(4, Double), (6, Fixed64)],
        (PointField::Flags, 0 | 3) => &[(8, Uint32)],
        (PointField::Flags, _) => &[(10, Uint32)],
        (PointField::Count, 1..=3) => &[(4, Fixed64)],
        (PointField::Sum, 1..=3) => &[(5, Double)],
        (PointField::Min, 1) => &[(11, Double)],
        (PointField::Max, 1) => &[(12, Double)],
        (PointField::Min, 2) => &[(12, Double)],
        (PointField::Max, 2) => &[(13, Double)],
        _ => &[],
    }
}
