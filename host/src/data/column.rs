//! Columns: what a plugin is given of a batch, and what it answers with.
//!
//! The layout is the one of `wit/v0.1/types.wit`, so that a column crosses into a plugin's memory
//! as three copies and no conversion.

/// The kind of a cell; the numbers are those of the plugin interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The record has no such field.
    Absent = 0,
    /// An attribute whose value is not set.
    Empty = 1,
    /// UTF-8 text.
    Text = 2,
    /// A boolean.
    Bool = 3,
    /// A signed 64-bit integer, a time or a duration (nanoseconds).
    Int = 4,
    /// A double.
    Double = 5,
    /// Bytes, ids among them.
    Bytes = 6,
    /// An encoded `ArrayValue`.
    Array = 7,
    /// An encoded `KeyValueList`.
    KvList = 8,
}

impl Kind {
    /// The kind with that number, if there is one.
    pub const fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            0 => Kind::Absent,
            1 => Kind::Empty,
            2 => Kind::Text,
            3 => Kind::Bool,
            4 => Kind::Int,
            5 => Kind::Double,
            6 => Kind::Bytes,
            7 => Kind::Array,
            8 => Kind::KvList,
            _ => return None,
        })
    }

    /// Whether the word of such a cell is a [`slice_word`] into the column's data.
    pub const fn is_slice(self) -> bool {
        matches!(self, Kind::Text | Kind::Bytes | Kind::Array | Kind::KvList)
    }
}

/// The word of a cell whose value lies in the column's data: `offset << 32 | length`.
pub const fn slice_word(offset: u32, length: u32) -> u64 {
    (offset as u64) << 32 | length as u64
}

/// The place in a column's data that a word names.
pub const fn slice_of(word: u64) -> std::ops::Range<usize> {
    let offset = (word >> 32) as usize;
    offset..offset + (word & 0xffff_ffff) as usize
}

/// A sequence of values, as parallel arrays of kinds and words over one arena of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// [`Kind`] of each cell, as its number.
    pub kinds: Vec<u8>,
    /// Word of each cell: the value itself or a [`slice_word`].
    pub words: Vec<u64>,
    /// What the slice words point into.
    pub data: Vec<u8>,
}

/// One value, borrowed from a [`Cells`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No such field.
    Absent,
    /// Present, not set.
    Empty,
    /// Text; valid UTF-8 if it came through the walk or the check of an answer.
    Text(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// An integer, a time or a duration.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An encoded `ArrayValue`.
    Array(&'a [u8]),
    /// An encoded `KeyValueList`.
    KvList(&'a [u8]),
}

impl Cells {
    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Forgets all cells, keeps the memory.
    pub fn clear(&mut self) {
        self.kinds.clear();
        self.words.clear();
        self.data.clear();
    }

    /// The value of cell `index`; absent beyond the end, and for a word that points outside the data.
    pub fn value(&self, index: usize) -> Value<'_> {
        let (Some(&kind), Some(&word)) = (self.kinds.get(index), self.words.get(index)) else {
            return Value::Absent;
        };
        let slice = || self.data.get(slice_of(word));
        match Kind::from_number(kind) {
            Some(Kind::Empty) => Value::Empty,
            Some(Kind::Bool) => Value::Bool(word != 0),
            Some(Kind::Int) => Value::Int(word as i64),
            Some(Kind::Double) => Value::Double(f64::from_bits(word)),
            Some(Kind::Text) => slice().map_or(Value::Absent, Value::Text),
            Some(Kind::Bytes) => slice().map_or(Value::Absent, Value::Bytes),
            Some(Kind::Array) => slice().map_or(Value::Absent, Value::Array),
            Some(Kind::KvList) => slice().map_or(Value::Absent, Value::KvList),
            Some(Kind::Absent) | None => Value::Absent,
        }
    }

    /// Adds a cell at the end.
    pub fn push(&mut self, value: Value<'_>) {
        let (kind, word) = self.store(value);
        self.kinds.push(kind as u8);
        self.words.push(word);
    }

    /// Replaces cell `index`, which must exist; the old value's bytes stay in the arena, unused.
    pub fn set(&mut self, index: usize, value: Value<'_>) {
        let (kind, word) = self.store(value);
        if let (Some(old_kind), Some(old_word)) = (self.kinds.get_mut(index), self.words.get_mut(index)) {
            *old_kind = kind as u8;
            *old_word = word;
        }
    }

    fn store(&mut self, value: Value<'_>) -> (Kind, u64) {
        match value {
            Value::Absent => (Kind::Absent, 0),
            Value::Empty => (Kind::Empty, 0),
            Value::Bool(bool) => (Kind::Bool, u64::from(bool)),
            Value::Int(int) => (Kind::Int, int as u64),
            Value::Double(double) => (Kind::Double, double.to_bits()),
            Value::Text(slice) => (Kind::Text, self.keep(slice)),
            Value::Bytes(slice) => (Kind::Bytes, self.keep(slice)),
            Value::Array(slice) => (Kind::Array, self.keep(slice)),
            Value::KvList(slice) => (Kind::KvList, self.keep(slice)),
        }
    }

    /// The word `known` if it names these very bytes, else that of a copy in the arena.
    #[inline]
    pub fn keep_unless(&mut self, known: Option<u64>, slice: &[u8]) -> u64 {
        match known {
            Some(word) if slice_of(word).len() == slice.len() && self.data.get(slice_of(word)) == Some(slice) => word,
            _ => self.keep(slice),
        }
    }

    /// Copies bytes into the arena; the answer is their word. Requests are below 4 GiB, so is the arena.
    pub fn keep(&mut self, slice: &[u8]) -> u64 {
        let offset = self.data.len() as u32;
        self.data.extend_from_slice(slice);
        slice_word(offset, slice.len() as u32)
    }
}

/// All attributes of each entry of a level; entry `i` has those from `starts[i]` up to `starts[i + 1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// One more than the level has entries.
    pub starts: Vec<u32>,
    /// The key of each attribute: a [`slice_word`] into `values.data`.
    pub keys: Vec<u64>,
    /// The value of each attribute.
    pub values: Cells,
}

/// One column of a [`View`].
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// A field with one value an entry.
    Cells(&'a Cells),
    /// A field `….attributes[*]`.
    Attributes(&'a Attributes),
}

/// How the levels of a batch belong together; the slices of levels that are not read are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links<'a> {
    /// For each record, its resource.
    pub resource_of: &'a [u32],
    /// For each record, its scope.
    pub scope_of: &'a [u32],
    /// For each data point, its metric.
    pub metric_of: &'a [u32],
    /// For each span event, its span.
    pub event_record: &'a [u32],
    /// For each span link, its span.
    pub link_record: &'a [u32],
}

/// What one plugin is given of a batch: exactly the columns that its plan reads.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// How many records there are.
    pub rows: u32,
    /// Bitmap of the rows that no earlier plugin dropped; empty if all are alive.
    pub live: &'a [u8],
    /// How the levels belong together.
    pub links: Links<'a>,
    /// One column for each field that the plan reads, in its order.
    pub columns: Vec<Column<'a>>,
}

/// A sampler's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions {
    /// For each row, the probability with which it is kept.
    pub probabilities: Vec<f64>,
    /// For each row, the position of its reason in the plan's list.
    pub reasons: Vec<u8>,
}

/// One column of a transform's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Which field, as a position in the plan's list of written fields.
    pub field: u32,
    /// Which entries of the field's level change.
    pub entries: Vec<u32>,
    /// For a field `….attributes[*]`, the key that each value is for: a [`slice_word`] into `values.data`.
    pub keys: Vec<u64>,
    /// The new values; absent deletes.
    pub values: Cells,
}
