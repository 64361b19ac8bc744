//! What a message of OTLP is to the reader and the writer of JSON: its fields, and how each of them is found.

/// A message: its fields, in the order in which they are written as JSON. It has no `Debug`: tables go in circles.
pub struct Message {
    /// Its fields.
    pub fields: &'static [Field],
    /// By number, where the field is in `fields`; [`NOWHERE`] for the numbers that no field has.
    positions: [u8; NUMBERS],
    /// A bit for each position that is a [`Label::Member`].
    pub members: u32,
}

/// Numbers of fields are below this.
const NUMBERS: usize = 17;

/// The position of a field that there is not.
const NOWHERE: u8 = u8::MAX;

/// A field of a message.
pub struct Field {
    /// Its name in JSON: lowerCamelCase.
    pub name: &'static str,
    /// Its number on the wire.
    pub number: u32,
    /// What its values are.
    pub kind: Kind,
    /// How many there may be, and whether one with the default value is written.
    pub label: Label,
    /// `,"name":`, as it is written before a value, and zeros behind it.
    pub key: [u8; KEY_MAX],
    /// How many bytes of `key` are text.
    pub key_len: usize,
    /// The first eight bytes of the name, or all with zeros behind them, the first as the lowest.
    head: u64,
}

/// No field's name, with quotes, comma and colon, is longer.
pub const KEY_MAX: usize = 32;

/// What a value is, in JSON and on the wire.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `string`.
    Text,
    /// `bytes` that are an id: hexadecimal in OTLP/JSON, unlike in ProtoJSON.
    Hex,
    /// Other `bytes`.
    Base64,
    /// `bool`.
    Bool,
    /// An enumeration: only ever a number in OTLP/JSON.
    Enum,
    /// `int32`.
    Int32,
    /// `uint32`.
    Uint32,
    /// `sint32`.
    Sint32,
    /// `fixed32`.
    Fixed32,
    /// `int64`.
    Int64,
    /// `uint64`.
    Uint64,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `double`.
    Double,
    /// A message.
    Message(&'static Message),
}

/// How many values a field has, and whether a default is told from none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// At most one; a scalar's default is not written.
    Plain,
    /// At most one, written whenever it is there (`optional`).
    Optional,
    /// At most one among all members of the message's `oneof` (no message has two of them), written whenever it
    /// is there.
    Member,
    /// Any number.
    List,
}

impl Message {
    /// The message of these fields.
    pub const fn new(fields: &'static [Field]) -> Message {
        let mut positions = [NOWHERE; NUMBERS];
        let (mut position, mut members) = (0, 0);
        while position < fields.len() {
            positions[fields[position].number as usize] = position as u8;
            if matches!(fields[position].label, Label::Member) {
                members |= 1 << position;
            }
            position += 1;
        }
        Message { fields, positions, members }
    }

    /// Where the field of that JSON name is in the table. `head` are its first eight bytes, or all with zeros behind
    /// them; `hint` is where it is looked for first.
    #[inline]
    pub fn position_of_name(&self, head: u64, name: &[u8], hint: usize) -> Option<usize> {
        let is_it = |field: &Field| {
            field.head == head && field.name.len() == name.len() && (name.len() <= 8 || field.name.as_bytes() == name)
        };
        let (before, from_hint) = self.fields.split_at_checked(hint).unwrap_or((self.fields, &[]));
        match from_hint.iter().position(is_it) {
            Some(position) => Some(hint + position),
            None => before.iter().position(is_it),
        }
    }

    /// Where the field of that number is in the table.
    #[inline(always)]
    pub fn position_of_number(&self, number: u32) -> Option<usize> {
        match self.positions.get(number as usize) {
            Some(&position) if position != NOWHERE => Some(usize::from(position)),
            _ => None,
        }
    }
}

impl Field {
    /// A field of that JSON name, number on the wire, kind and label.
    pub const fn new(name: &'static str, number: u32, kind: Kind, label: Label) -> Field {
        let text = name.as_bytes();
        let mut key = [0; KEY_MAX];
        (key[0], key[1]) = (b',', b'"');
        let (mut at, mut head) = (0, 0);
        while at < text.len() {
            key[2 + at] = text[at];
            if at < 8 {
                head |= (text[at] as u64) << (8 * at);
            }
            at += 1;
        }
        (key[2 + at], key[3 + at]) = (b'"', b':');
        Field { name, number, kind, label, key, key_len: at + 4, head }
    }

    /// `"name":`.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        self.key.get(1..self.key_len).unwrap_or_default()
    }
}
