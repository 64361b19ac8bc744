//! From the bytes of a protobuf message to JSON text, in one pass over each message.
//!
//! Repeated occurrences of what may be there once count as in protobuf: the last scalar, all parts of a message
//! together, the last member of a `oneof`. So a message is read to its end before its first field is written, in the
//! order of its table; what is noted of each field until then lies on one stack.
//!
//! Every member and element is written with a comma before it. When the object or list ends, the first comma becomes
//! its opening bracket.

mod attribute;

use std::ops::Range;

use super::DEPTH_MAX;
use super::message::{Field, Kind, Label, Message};
use super::schema::{ANY_VALUE, KEY_VALUE};
use super::text::{put_base64, put_double, put_hex, put_integer, put_quoted_integer, put_text};
use crate::data::wire::{Malformed, Payload, Reader};

/// How many bytes may be copied to join messages that came in parts, for each byte of the request. Nobody sends
/// such messages; without a bound, parts within parts would be copied once for each level.
const JOINED_PER_BYTE: usize = 4;

/// How many bytes of JSON a byte of the request becomes, as a guess that is seldom outgrown by much.
const TEXT_PER_BYTE: usize = 2;

/// Boxed, so that results and stack frames stay small.
type Fault = Box<Malformed>;

/// Appends the `message` that `bytes` are, as JSON.
pub fn document(message: &'static Message, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.reserve(bytes.len().saturating_mul(TEXT_PER_BYTE));
    let joined_max = bytes.len().saturating_mul(JOINED_PER_BYTE);
    let mut encoder = Encoder { out, bytes, found: Vec::new(), joined_max };
    encoder.message(message, 0..bytes.len(), Level { depth: 0, base: 0 }).map_err(|fault| *fault)
}

struct Encoder<'o, 'b> {
    out: &'o mut Vec<u8>,
    /// What all ranges are of.
    bytes: &'b [u8],
    /// What was found of each field of each message that is open: a stack, the innermost message on top. In the place
    /// of a field that a message has not is what was left there.
    found: Vec<Found>,
    /// How many bytes may still be copied to join messages that came in parts.
    joined_max: usize,
}

/// The occurrences of one field in a message.
#[derive(Clone, Copy)]
struct Found {
    /// Offset of the first one's tag.
    from: usize,
    /// Offset one past the last one.
    to: usize,
    last: Payload,
}

const NOT_FOUND: Found = Found { from: 0, to: 0, last: Payload::Group };

/// Which fields a message has: a bit for each position in its table.
#[derive(Clone, Copy, Default)]
struct Present {
    fields: u32,
    /// Those that came more than once.
    repeated: u32,
}

/// What a message must know of those around it.
#[derive(Clone, Copy)]
struct Level {
    /// How many of them are an `AnyValue`.
    depth: usize,
    /// How much of `found` is theirs.
    base: usize,
}

impl Encoder<'_, '_> {
    fn message(&mut self, message: &'static Message, range: Range<usize>, level: Level) -> Result<(), Fault> {
        let depth = level.depth + usize::from(std::ptr::eq(message, &ANY_VALUE));
        if depth > DEPTH_MAX + 1 {
            return malformed("attribute values nested too deep for JSON", range.start);
        }
        let inner = Level { depth, base: level.base + message.fields.len() };
        if self.found.len() < inner.base {
            self.found.resize(inner.base, NOT_FOUND);
        }
        let Some(found) = self.found.get_mut(level.base..inner.base) else { return Ok(()) };
        let present = find(message, Reader::within(self.bytes, range), found)?;
        let start = self.out.len();
        let mut left = present.fields;
        while left != 0 {
            let position = left.trailing_zeros() as usize;
            left &= left - 1;
            if let (Some(field), Some(&found)) = (message.fields.get(position), self.found.get(level.base + position)) {
                self.field(field, found, present.repeated >> position & 1 != 0, inner)?;
            }
        }
        self.close(start, b"{}");
        Ok(())
    }

    /// One field of a message.
    #[inline(always)]
    fn field(&mut self, field: &'static Field, found: Found, repeated: bool, level: Level) -> Result<(), Fault> {
        match (field.kind, found.last) {
            _ if field.label == Label::List => self.list(field, found, level),
            (Kind::Message(message), _) if repeated => self.joined(field, message, found, level),
            (Kind::Message(message), Payload::Bytes { from, to }) => {
                self.name(field);
                self.message(message, from..to, level)
            }
            (Kind::Text, Payload::Bytes { from, to }) => {
                if from != to || field.label != Label::Plain {
                    self.name(field);
                    put_text(self.out, self.bytes, from..to)?;
                }
                Ok(())
            }
            (kind, payload) => {
                if field.label == Label::Plain && is_default(kind, payload) {
                    return Ok(());
                }
                self.name(field);
                self.scalar(kind, payload, found.from)
            }
        }
    }

    /// A comma, the name of a member and a colon.
    #[inline(always)]
    fn name(&mut self, field: &Field) {
        let before = self.out.len();
        // A copy of constant length is not a call.
        self.out.extend_from_slice(&field.key);
        self.out.truncate(before + field.key_len);
    }

    /// Ends the object or list whose text begins at `start`.
    #[inline(always)]
    fn close(&mut self, start: usize, &[open, close]: &[u8; 2]) {
        match self.out.get_mut(start) {
            Some(comma) => *comma = open,
            None => self.out.push(open),
        }
        self.out.push(close);
    }

    /// A message that came in several parts: one after the other, that is how protobuf merges them.
    #[cold]
    #[inline(never)]
    fn joined(
        &mut self,
        field: &'static Field,
        message: &'static Message,
        found: Found,
        level: Level,
    ) -> Result<(), Fault> {
        let mut joined = Vec::new();
        let mut reader = Reader::within(self.bytes, found.from..found.to);
        while let Some(wire) = reader.field()? {
            if wire.number != field.number {
                continue;
            }
            let Some(content) = wire.content() else { return wrong_wire_type(wire.start) };
            let Some(left) = self.joined_max.checked_sub(content.len()) else {
                return malformed("messages in parts, within messages in parts", wire.start);
            };
            self.joined_max = left;
            joined.extend_from_slice(self.bytes.get(content).unwrap_or_default());
        }
        self.name(field);
        let found = std::mem::take(&mut self.found);
        let mut encoder = Encoder { out: &mut *self.out, bytes: &joined, found, joined_max: self.joined_max };
        encoder.message(message, 0..joined.len(), level)?;
        (self.found, self.joined_max) = (encoder.found, encoder.joined_max);
        Ok(())
    }

    fn list(&mut self, field: &'static Field, found: Found, level: Level) -> Result<(), Fault> {
        self.name(field);
        let start = self.out.len();
        let reader = Reader::within(self.bytes, found.from..found.to);
        match field.kind {
            Kind::Message(message) => self.messages(field, message, reader, level)?,
            kind => self.scalars(field, kind, reader)?,
        }
        self.close(start, b"[]");
        Ok(())
    }

    #[inline(always)]
    fn messages(
        &mut self,
        field: &'static Field,
        message: &'static Message,
        mut reader: Reader<'_>,
        level: Level,
    ) -> Result<(), Fault> {
        let attributes = std::ptr::eq(message, &KEY_VALUE);
        loop {
            while let Some((number, _, content)) = reader.short_field() {
                if number != field.number || attributes && self.attribute(content.clone(), level.depth)? {
                    continue;
                }
                self.out.push(b',');
                self.message(message, content, level)?;
            }
            let Some(wire) = reader.field()? else { return Ok(()) };
            if wire.number == field.number {
                let Some(content) = wire.content() else { return wrong_wire_type(wire.start) };
                self.out.push(b',');
                self.message(message, content, level)?;
            }
        }
    }

    fn scalars(&mut self, field: &'static Field, kind: Kind, mut reader: Reader<'_>) -> Result<(), Fault> {
        while let Some(wire) = reader.field()? {
            if wire.number != field.number {
                continue;
            }
            match (kind, wire.payload) {
                (Kind::Uint64 | Kind::Fixed64 | Kind::Double, Payload::Bytes { from, to }) => {
                    self.packed(kind, Reader::within(self.bytes, from..to), to)?;
                }
                (kind, payload) => {
                    self.out.push(b',');
                    self.scalar(kind, payload, wire.start)?;
                }
            }
        }
        Ok(())
    }

    fn packed(&mut self, kind: Kind, mut reader: Reader<'_>, end: usize) -> Result<(), Fault> {
        while reader.offset() < end {
            let bits = match kind {
                Kind::Uint64 => reader.varint()?,
                _ => u64::from_le_bytes(reader.fixed()?),
            };
            self.out.push(b',');
            self.number(kind, bits);
        }
        Ok(())
    }

    /// What is no message; an error names the offset `at`.
    fn scalar(&mut self, kind: Kind, payload: Payload, at: usize) -> Result<(), Fault> {
        if let Some(bits) = bits(kind, payload) {
            self.number(kind, bits);
            return Ok(());
        }
        let Payload::Bytes { from, to } = payload else { return wrong_wire_type(at) };
        let content = self.bytes.get(from..to).unwrap_or_default();
        match kind {
            Kind::Text => put_text(self.out, self.bytes, from..to)?,
            Kind::Hex => put_hex(self.out, content),
            Kind::Base64 => put_base64(self.out, content),
            _ => return wrong_wire_type(at),
        }
        Ok(())
    }

    fn number(&mut self, kind: Kind, bits: u64) {
        match kind {
            Kind::Bool if bits != 0 => self.out.extend_from_slice(b"true"),
            Kind::Bool => self.out.extend_from_slice(b"false"),
            Kind::Enum | Kind::Int32 => put_integer(self.out, bits as i32),
            Kind::Sint32 => put_integer(self.out, (bits as u32 >> 1) as i32 ^ -((bits & 1) as i32)),
            Kind::Uint32 | Kind::Fixed32 => put_integer(self.out, bits as u32),
            Kind::Int64 | Kind::Sfixed64 => put_quoted_integer(self.out, bits as i64),
            Kind::Double => put_double(self.out, f64::from_bits(bits)),
            _ => put_quoted_integer(self.out, bits),
        }
    }
}

/// Notes in `found`, by position, where the fields of a message are.
#[inline(always)]
fn find(message: &'static Message, mut reader: Reader<'_>, found: &mut [Found]) -> Result<Present, Fault> {
    let mut present = Present::default();
    loop {
        // Most fields, without the cases of the others.
        while let Some((number, from, content)) = reader.short_field() {
            let last = Payload::Bytes { from: content.start, to: content.end };
            present.note(message, number, Found { from, to: content.end, last }, found);
        }
        let Some(wire) = reader.field()? else { return Ok(present) };
        present.note(message, wire.number, Found { from: wire.start, to: wire.end, last: wire.payload }, found);
    }
}

impl Present {
    #[inline(always)]
    fn note(&mut self, message: &'static Message, number: u32, latest: Found, found: &mut [Found]) {
        let Some(position) = message.position_of_number(number) else { return };
        let Some(found) = found.get_mut(position) else { return };
        let bit = 1 << position;
        if self.fields & bit != 0 {
            self.repeated |= bit;
            (found.to, found.last) = (latest.to, latest.last);
            return;
        }
        *found = latest;
        // Of a `oneof` the member counts that comes last.
        if message.members & bit != 0 {
            self.fields &= !message.members;
        }
        self.fields |= bit;
    }
}

/// The bits of a number, if the payload is of the kind's wire type.
#[inline(always)]
fn bits(kind: Kind, payload: Payload) -> Option<u64> {
    match (kind, payload) {
        (Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Payload::Fixed64(bits)) => Some(bits),
        (Kind::Fixed32, Payload::Fixed32(bits)) => Some(u64::from(bits)),
        (
            Kind::Bool | Kind::Enum | Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Int64 | Kind::Uint64,
            Payload::Varint(bits),
        ) => Some(bits),
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn malformed<T>(what: &'static str, at: usize) -> Result<T, Fault> {
    Err(Box::new(Malformed { what, at }))
}

fn wrong_wire_type<T>(at: usize) -> Result<T, Fault> {
    malformed("field of another wire type than its own", at)
}

/// Whether the value is what an absent one means, of the kind's wire type.
fn is_default(kind: Kind, payload: Payload) -> bool {
    match (kind, payload) {
        (Kind::Hex | Kind::Base64, Payload::Bytes { from, to }) => from == to,
        (Kind::Enum | Kind::Int32 | Kind::Uint32 | Kind::Sint32, Payload::Varint(bits)) => bits as u32 == 0,
        (kind, payload) => bits(kind, payload) == Some(0),
    }
}
