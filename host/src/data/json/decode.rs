//! From JSON text to the bytes of the protobuf message that it says, in one pass.

mod attribute;
mod scalar;

use super::error::{Fault, JsonCause, JsonError};
use super::frames::Frames;
use super::message::{Field, Kind, Label, Message};
use super::parser::Parser;
use super::schema::{ANY_VALUE, KEY_VALUE};
use super::{DEPTH_MAX, JsonLimits};

/// The protobuf bytes of the `message` that the JSON text says.
pub fn document(message: &'static Message, json: &[u8], limits: &JsonLimits) -> Result<Vec<u8>, JsonError> {
    decode_document(message, json, limits).map_err(|error| error.located(json))
}

fn decode_document(message: &'static Message, json: &[u8], limits: &JsonLimits) -> Result<Vec<u8>, Fault> {
    if json.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::new(0, "a byte order mark stands before the document: remove the BOM"));
    }
    if let Err(error) = simdutf8::compat::from_utf8(json) {
        return Err(JsonError::new(error.valid_up_to(), "bytes that are not UTF-8: encode the document as UTF-8"));
    }
    let mut decoder = Decoder {
        parser: Parser::new(json),
        // A guess that is seldom outgrown: the names and quotes of JSON are half of it.
        out: Frames::with_capacity((json.len() / 16 * 9).min(limits.max_bytes)),
        depth_max: limits.max_depth.min(DEPTH_MAX),
        bytes_max: limits.max_bytes,
    };
    decoder.message(message, 0)?;
    decoder.parser.end()?;
    Ok(decoder.out.finish())
}

struct Decoder<'a> {
    parser: Parser<'a>,
    out: Frames,
    depth_max: usize,
    bytes_max: usize,
}

/// Which members of an object came already.
#[derive(Default)]
struct Seen {
    /// One bit for each field of the table.
    fields: u32,
    /// The name of the member of the `oneof` that is set.
    member: Option<&'static str>,
}

/// Whether a default value is written or left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    Written,
    LeftOut,
}

impl Decoder<'_> {
    /// An object, as the body of a message; `depth` counts the `AnyValue`s around it.
    fn message(&mut self, message: &'static Message, depth: usize) -> Result<(), Fault> {
        let depth = depth + usize::from(std::ptr::eq(message, &ANY_VALUE));
        // The innermost value is in so many lists and mappings less one.
        if depth > self.depth_max + 1 {
            let max = self.depth_max;
            return Err(self
                .parser
                .error(format!("attribute values nest deeper than {max} levels: send them flatter")));
        }
        self.parser.open(b'{')?;
        let (mut first, mut next, mut seen) = (true, 0, Seen::default());
        while self.parser.more(b'}', &mut first)? {
            let position = match message.fields.get(next) {
                // Most members come in the order of the table.
                Some(expected) if self.parser.starts_with(expected.key()) => Some(next),
                _ => {
                    let (head, name) = self.parser.name()?;
                    message.position_of_name(head, name, next)
                }
            };
            match position.and_then(|position| Some((position, message.fields.get(position)?))) {
                Some((position, field)) => {
                    next = position + 1;
                    self.field(field, position, &mut seen, depth).map_err(|error| error.inside(field.name))?;
                }
                None => self.parser.skip(1)?,
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn field(&mut self, field: &'static Field, position: usize, seen: &mut Seen, depth: usize) -> Result<(), Fault> {
        if self.parser.null()? {
            return Ok(());
        }
        let again = seen.fields & 1 << position != 0;
        seen.fields |= 1 << position;
        match field.label {
            Label::List => return self.list(field, depth),
            Label::Member => match seen.member.replace(field.name) {
                Some(other) if other != field.name => {
                    return Err(self.parser.error(format!("{other} is set already: send one of the two")));
                }
                _ => self.value(field, Zero::Written, depth)?,
            },
            Label::Optional => self.value(field, Zero::Written, depth)?,
            // Given again, a default must undo what came before.
            Label::Plain if again => self.value(field, Zero::Written, depth)?,
            Label::Plain => self.value(field, Zero::LeftOut, depth)?,
        }
        self.check_size()
    }

    #[inline(never)]
    fn list(&mut self, field: &'static Field, depth: usize) -> Result<(), Fault> {
        self.parser.open(b'[')?;
        let packed = match field.kind {
            Kind::Text | Kind::Hex | Kind::Base64 | Kind::Message(_) => None,
            _ if self.parser.peek()? == b']' => None,
            _ => Some(self.out.open(field.number)),
        };
        let attributes = matches!(field.kind, Kind::Message(message) if std::ptr::eq(message, &KEY_VALUE));
        let (mut first, mut index) = (true, 0);
        while self.parser.more(b']', &mut first)? {
            let element = match packed {
                _ if attributes && self.attribute(field.number, depth) => Ok(()),
                Some(_) => self.number(field.kind).map(|bits| self.put_number(field.kind, bits)),
                None => self.element(field, depth),
            };
            element.and_then(|()| self.check_size()).map_err(|error| error.in_element(index))?;
            index += 1;
        }
        if let Some(open) = packed {
            self.out.close(open);
        }
        Ok(())
    }

    #[inline(always)]
    fn element(&mut self, field: &'static Field, depth: usize) -> Result<(), Fault> {
        if self.parser.peek()? != b'n' {
            return self.value(field, Zero::Written, depth);
        }
        match field.kind {
            Kind::Message(message) if std::ptr::eq(message, &ANY_VALUE) => {
                self.parser.null()?;
                self.out.put_head(field.number, 0);
                Ok(())
            }
            _ => Err(self.parser.error("null has no meaning in this list: leave it out")),
        }
    }

    #[inline(always)]
    fn value(&mut self, field: &'static Field, zero: Zero, depth: usize) -> Result<(), Fault> {
        // Apart from the scalars, because this is on the stack once for each level.
        let Kind::Message(message) = field.kind else { return self.scalar(field, zero) };
        let open = self.out.open(field.number);
        self.message(message, depth)?;
        self.out.close(open);
        Ok(())
    }

    #[inline(always)]
    fn check_size(&self) -> Result<(), Fault> {
        if self.out.len() <= self.bytes_max { Ok(()) } else { self.too_large() }
    }

    #[cold]
    fn too_large(&self) -> Result<(), Fault> {
        let max = self.bytes_max;
        let mut error =
            self.parser.error(format!("the request is larger than {max} bytes as protobuf: send smaller ones"));
        error.cause = JsonCause::TooLarge;
        Err(error)
    }
}
