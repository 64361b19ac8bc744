//! From the bytes of a protobuf message to JSON text, in one pass over each message.
//!
//! Repeated occurrences of what may be there once count as in protobuf: the last scalar, all parts of a message
//! together, the last member of a `oneof`.

use std::ops::Range;

use super::DEPTH_MAX;
use super::schema::{ANY_VALUE, Field, Kind, Label, Message};
use super::text::{put_base64, put_double, put_hex, put_integer, put_quoted_integer, put_string};
use crate::data::wire::{Malformed, Payload, Reader};

/// How many bytes may be copied to join messages that came in parts, for each byte of the request. Nobody sends
/// such messages; without a bound, parts within parts would be copied once for each level.
const JOINED_PER_BYTE: usize = 4;

/// Appends the `message` that `bytes` are, as JSON.
pub fn document(message: &'static Message, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let joined_max = bytes.len().saturating_mul(JOINED_PER_BYTE);
    Encoder { out, found: Vec::new(), joined_max }.message(message, bytes, 0..bytes.len(), 0)
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// What was found of each field of each message that is open: a stack, the innermost message on top.
    found: Vec<Found>,
    /// How many bytes may still be copied to join messages that came in parts.
    joined_max: usize,
}

/// The occurrences of one field in a message.
#[derive(Clone, Copy)]
struct Found {
    count: u32,
    /// Offset of the first one's tag.
    from: usize,
    /// Offset one past the last one.
    to: usize,
    last: Payload,
}

const NOT_FOUND: Found = Found { count: 0, from: 0, to: 0, last: Payload::Group };

impl Encoder<'_> {
    /// The message in `range` of `bytes`; `depth` counts the `AnyValue`s around it.
    fn message(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        range: Range<usize>,
        depth: usize,
    ) -> Result<(), Malformed> {
        let depth = depth + usize::from(std::ptr::eq(message, &ANY_VALUE));
        if depth > DEPTH_MAX + 1 {
            return Err(Malformed { what: "attribute values nested too deep for JSON", at: range.start });
        }
        let base = self.found.len();
        self.find(message, base, Reader::within(bytes, range))?;
        self.out.push(b'{');
        let start = self.out.len();
        for (index, field) in message.fields.iter().enumerate() {
            match self.found.get(base + index) {
                Some(&found) if found.count > 0 => self.field(field, bytes, found, start, depth)?,
                _ => {}
            }
        }
        self.out.push(b'}');
        self.found.truncate(base);
        Ok(())
    }

    /// Notes on top of the stack which fields the message has, and where.
    fn find(&mut self, message: &'static Message, base: usize, mut reader: Reader<'_>) -> Result<(), Malformed> {
        self.found.resize(base + message.fields.len(), NOT_FOUND);
        let found = self.found.get_mut(base..).unwrap_or_default();
        let mut hint = 0;
        while let Some(wire) = reader.field()? {
            let Some(position) = message.position_of_number(wire.number, hint) else { continue };
            hint = position;
            if message.fields.get(position).is_some_and(|field| field.label == Label::Member) {
                unset_other_members(message, position, found);
            }
            if let Some(found) = found.get_mut(position) {
                let from = if found.count == 0 { wire.start } else { found.from };
                *found = Found { count: found.count.saturating_add(1), from, to: wire.end, last: wire.payload };
            }
        }
        Ok(())
    }

    fn name(&mut self, field: &Field, start: usize) {
        if self.out.len() > start {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// One field of the message whose JSON begins at `start` of the output.
    fn field(
        &mut self,
        field: &'static Field,
        bytes: &[u8],
        found: Found,
        start: usize,
        depth: usize,
    ) -> Result<(), Malformed> {
        match (field.label, field.kind) {
            (Label::List, _) => {
                self.name(field, start);
                self.list(field, bytes, found, depth)
            }
            (_, Kind::Message(message)) if found.count > 1 => {
                self.name(field, start);
                let joined = self.joined(field, bytes, found)?;
                self.message(message, &joined, 0..joined.len(), depth)
            }
            (Label::Plain, kind) if is_default(kind, found.last) => check_wire_type(field, found),
            _ => {
                self.name(field, start);
                self.value(field.kind, bytes, found.last, found.from, depth)
            }
        }
    }

    /// All parts of a message that came in several, one after the other: that is how protobuf merges them.
    fn joined(&mut self, field: &Field, bytes: &[u8], found: Found) -> Result<Vec<u8>, Malformed> {
        let mut joined = Vec::new();
        let mut reader = Reader::within(bytes, found.from..found.to);
        while let Some(wire) = reader.field()? {
            if wire.number != field.number {
                continue;
            }
            let Some(content) = wire.content() else { return wrong_wire_type(wire.start) };
            let Some(left) = self.joined_max.checked_sub(content.len()) else {
                return Err(Malformed { what: "messages in parts, within messages in parts", at: wire.start });
            };
            self.joined_max = left;
            joined.extend_from_slice(bytes.get(content).unwrap_or_default());
        }
        Ok(joined)
    }

    fn list(&mut self, field: &'static Field, bytes: &[u8], found: Found, depth: usize) -> Result<(), Malformed> {
        self.out.push(b'[');
        let start = self.out.len();
        let mut reader = Reader::within(bytes, found.from..found.to);
        while let Some(wire) = reader.field()? {
            if wire.number != field.number {
                continue;
            }
            match (wire.payload, field.kind) {
                (Payload::Bytes { from, to }, Kind::Uint64 | Kind::Fixed64 | Kind::Double) => {
                    self.packed(field.kind, Reader::within(bytes, from..to), to, start)?;
                }
                (payload, kind) => {
                    self.comma(start);
                    self.value(kind, bytes, payload, wire.start, depth)?;
                }
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn packed(&mut self, kind: Kind, mut reader: Reader<'_>, end: usize, start: usize) -> Result<(), Malformed> {
        while reader.offset() < end {
            let bits = match kind {
                Kind::Uint64 => reader.varint()?,
                _ => u64::from_le_bytes(reader.fixed()?),
            };
            self.comma(start);
            self.number(kind, bits);
        }
        Ok(())
    }

    fn comma(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push(b',');
        }
    }

    fn value(&mut self, kind: Kind, bytes: &[u8], payload: Payload, at: usize, depth: usize) -> Result<(), Malformed> {
        match payload {
            Payload::Bytes { from, to } => {
                let content = bytes.get(from..to).unwrap_or_default();
                match kind {
                    Kind::Message(message) => self.message(message, bytes, from..to, depth)?,
                    Kind::Text if simdutf8::basic::from_utf8(content).is_err() => {
                        return Err(Malformed { what: "text that is not UTF-8", at: from });
                    }
                    Kind::Text => put_string(self.out, content),
                    Kind::Hex => put_hex(self.out, content),
                    Kind::Base64 => put_base64(self.out, content),
                    _ => return wrong_wire_type(at),
                }
            }
            _ => match bits(kind, payload) {
                Some(bits) => self.number(kind, bits),
                None => return wrong_wire_type(at),
            },
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

/// Of a `oneof` the member counts that comes last.
fn unset_other_members(message: &'static Message, position: usize, found: &mut [Found]) {
    for (other, (field, found)) in message.fields.iter().zip(found).enumerate() {
        if other != position && field.label == Label::Member {
            found.count = 0;
        }
    }
}

/// The bits of a number, if the payload is of the kind's wire type.
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

fn wrong_wire_type<T>(at: usize) -> Result<T, Malformed> {
    Err(Malformed { what: "field of another wire type than its own", at })
}

fn check_wire_type(field: &Field, found: Found) -> Result<(), Malformed> {
    let fits = match (field.kind, found.last) {
        (Kind::Text | Kind::Hex | Kind::Base64 | Kind::Message(_), payload) => {
            matches!(payload, Payload::Bytes { .. })
        }
        (kind, payload) => bits(kind, payload).is_some(),
    };
    if fits { Ok(()) } else { wrong_wire_type(found.from) }
}

/// Whether the value is what an absent one means; a message that is there never is.
fn is_default(kind: Kind, payload: Payload) -> bool {
    match (kind, payload) {
        (Kind::Message(_), _) => false,
        (Kind::Enum | Kind::Int32 | Kind::Uint32 | Kind::Sint32, Payload::Varint(bits)) => bits as u32 == 0,
        (_, Payload::Varint(bits) | Payload::Fixed64(bits)) => bits == 0,
        (_, Payload::Fixed32(bits)) => bits == 0,
        (_, Payload::Bytes { from, to }) => from == to,
        (_, Payload::Group) => false,
    }
}
