//! From JSON text to the bytes of the protobuf message that it says, in one pass.

mod attribute;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::{Fault, JsonCause, JsonError};
use super::frames::Frames;
use super::message::{Field, Kind, Label, Message};
use super::number::{NotNumber, double, integer, quoted_double};
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
        loop {
            // Most members come in the order of the table, without white space.
            let position = match message.fields.get(next) {
                Some(expected) if self.parser.starts_with(expected.key(first)) => {
                    first = false;
                    Some(next)
                }
                _ => match self.parser.member(&mut first)? {
                    Some((head, name)) => message.position_of_name(head, name, next),
                    None => return Ok(()),
                },
            };
            match position.and_then(|position| Some((position, message.fields.get(position)?))) {
                Some((position, field)) => {
                    next = position + 1;
                    self.field(field, position, &mut seen, depth).map_err(|error| error.inside(field.name))?;
                }
                None => self.parser.skip(1)?,
            }
        }
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
            if attributes && self.attribute(field.number as u8 * 8 + 2, depth) {
                self.check_size().map_err(|error| error.in_element(index))?;
                index += 1;
                continue;
            }
            let element = match packed {
                Some(_) => self.number(field.kind).map(|bits| put_number(&mut self.out, field.kind, bits)),
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

    fn scalar(&mut self, field: &'static Field, zero: Zero) -> Result<(), Fault> {
        match field.kind {
            Kind::Text => match self.parser.plain_string() {
                Some(range) => {
                    if !range.is_empty() || zero == Zero::Written {
                        self.out.put_head(field.number, range.len());
                        self.out.sheet.put_range(self.parser.json(), range);
                    }
                }
                None => {
                    let text = self.parser.string()?;
                    put_bytes(&mut self.out, field, text, zero);
                }
            },
            Kind::Hex => self.hex(field, zero)?,
            Kind::Base64 => {
                let bytes = self.base64()?;
                put_bytes(&mut self.out, field, &bytes, zero);
            }
            kind => {
                let bits = self.number(kind)?;
                if bits != 0 || zero == Zero::Written {
                    self.out.put_tag(field.number, wire_type(kind));
                    put_number(&mut self.out, kind, bits);
                }
            }
        }
        Ok(())
    }

    fn hex(&mut self, field: &Field, zero: Zero) -> Result<(), Fault> {
        self.parser.peek()?;
        let start = self.parser.offset();
        let digits = self.parser.string()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        if !digits.is_empty() || zero == Zero::Written {
            self.out.put_head(field.number, pairs.len());
        }
        let mut wrong = 0;
        for pairs in pairs.chunks(16) {
            let mut bytes = [0; 16];
            for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
                let (high, low) = (NIBBLES[usize::from(high)], NIBBLES[usize::from(low)]);
                wrong |= high | low;
                *byte = high << 4 | low;
            }
            self.out.sheet.block(&bytes, pairs.len());
        }
        match rest {
            _ if wrong > 0xf => Err(JsonError::new(start, "an id is hexadecimal digits, not base64 or anything else")),
            [] => Ok(()),
            _ => Err(JsonError::new(start, "an id of an odd number of digits: write two for each byte")),
        }
    }

    fn base64(&mut self) -> Result<Vec<u8>, Fault> {
        const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
        const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
        self.parser.peek()?;
        let start = self.parser.offset();
        let text = self.parser.string()?;
        let engine = if memchr::memchr2(b'-', b'_', text).is_some() { URL } else { PLAIN };
        engine.decode(text).map_err(|_| JsonError::new(start, "not base64: bytes are written as base64 text"))
    }

    /// The bits of a number of that kind, as [`put_number`] takes them.
    fn number(&mut self, kind: Kind) -> Result<u64, Fault> {
        let next = self.parser.peek()?;
        let start = self.parser.offset();
        if matches!(kind, Kind::Bool) {
            return self.parser.bool().map(u64::from);
        }
        if matches!(kind, Kind::Enum) && next == b'"' {
            return Err(self
                .parser
                .error("an enum is a number in OTLP, without quotes: give the number, not the name"));
        }
        if let Some(value) = self.parser.plain_integer(max(kind)) {
            return Ok(if matches!(kind, Kind::Sint32) { value << 1 } else { value });
        }
        let bits = if next == b'"' {
            let text = self.parser.string()?;
            if matches!(kind, Kind::Double) {
                quoted_double(text).map(f64::to_bits)
            } else {
                integer(text).and_then(|value| integer_bits(kind, value))
            }
        } else {
            let text = self.parser.number()?;
            if matches!(kind, Kind::Double) {
                double(text).map(f64::to_bits)
            } else {
                integer(text).and_then(|value| integer_bits(kind, value))
            }
        };
        bits.map_err(|problem| JsonError::new(start, explain(kind, problem)))
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

/// The greatest whole number of a kind whose bits on the wire are those that it has anyway, or twice that.
fn max(kind: Kind) -> u64 {
    match kind {
        Kind::Int32 | Kind::Enum | Kind::Sint32 => i32::MAX as u64,
        Kind::Uint32 | Kind::Fixed32 => u64::from(u32::MAX),
        Kind::Int64 | Kind::Sfixed64 => i64::MAX as u64,
        Kind::Double => 0,
        _ => u64::MAX,
    }
}

/// The values of hexadecimal digits; above 15 for other characters.
const NIBBLES: [u8; 256] = {
    let mut table = [u8::MAX; 256];
    let mut nibble = 0;
    while nibble < 16 {
        let digit = b"0123456789abcdef"[nibble];
        table[digit as usize] = nibble as u8;
        table[digit.to_ascii_uppercase() as usize] = nibble as u8;
        nibble += 1;
    }
    table
};

fn put_bytes(out: &mut Frames, field: &Field, bytes: &[u8], zero: Zero) {
    if !bytes.is_empty() || zero == Zero::Written {
        out.put_head(field.number, bytes.len());
        out.sheet.put_slice(bytes);
    }
}

/// The bits that stand for `value` on the wire, if it is in the kind's range.
fn integer_bits(kind: Kind, value: i128) -> Result<u64, NotNumber> {
    let bits = match kind {
        Kind::Int32 | Kind::Enum => i32::try_from(value).map(|value| i64::from(value) as u64),
        Kind::Sint32 => i32::try_from(value).map(|value| u64::from((value << 1 ^ value >> 31) as u32)),
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).map(u64::from),
        Kind::Int64 | Kind::Sfixed64 => i64::try_from(value).map(|value| value as u64),
        _ => u64::try_from(value),
    };
    bits.map_err(|_| NotNumber::Range)
}

fn explain(kind: Kind, problem: NotNumber) -> String {
    let range = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Enum => "-2147483648 to 2147483647",
        Kind::Uint32 | Kind::Fixed32 => "0 to 4294967295",
        Kind::Int64 | Kind::Sfixed64 => "-9223372036854775808 to 9223372036854775807",
        Kind::Double => {
            return "not a double: write a finite number, \"NaN\", \"Infinity\" or \"-Infinity\"".to_owned();
        }
        _ => "0 to 18446744073709551615",
    };
    match problem {
        NotNumber::Range => format!("out of range: write a whole number from {range}"),
        NotNumber::Fraction => format!("a fraction where there can be none: write a whole number from {range}"),
        NotNumber::Grammar => format!("not a number: write a whole number from {range}"),
    }
}

/// The wire type of a kind of number.
fn wire_type(kind: Kind) -> u8 {
    match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
        Kind::Fixed32 => 5,
        _ => 0,
    }
}

/// Writes a number without its tag.
fn put_number(out: &mut Frames, kind: Kind, bits: u64) {
    match wire_type(kind) {
        1 => out.sheet.put(&bits.to_le_bytes()),
        5 => out.sheet.put(&(bits as u32).to_le_bytes()),
        _ => out.sheet.put_varint(bits),
    }
}
