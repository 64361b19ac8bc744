//! Texts, ids, bytes and numbers, from JSON to protobuf.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Decoder, Zero};
use crate::data::json::error::{Fault, JsonError};
use crate::data::json::frames::Frames;
use crate::data::json::message::{Field, Kind};
use crate::data::json::number::{NotNumber, double, integer, quoted_double};

impl Decoder<'_> {
    /// A value that is no message, with its tag.
    pub(super) fn scalar(&mut self, field: &'static Field, zero: Zero) -> Result<(), Fault> {
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
                    self.put_number(kind, bits);
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

    /// The bits of a number of that kind, as [`Decoder::put_number`] takes them.
    pub(super) fn number(&mut self, kind: Kind) -> Result<u64, Fault> {
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
            return Ok(match kind {
                Kind::Sint32 => value << 1,
                Kind::Double => (value as f64).to_bits(),
                _ => value,
            });
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

    /// Writes a number without its tag.
    #[inline(always)]
    pub(super) fn put_number(&mut self, kind: Kind, bits: u64) {
        match wire_type(kind) {
            1 => self.out.sheet.put(&bits.to_le_bytes()),
            5 => self.out.sheet.put(&(bits as u32).to_le_bytes()),
            _ => self.out.sheet.put_varint(bits),
        }
    }
}

fn put_bytes(out: &mut Frames, field: &Field, bytes: &[u8], zero: Zero) {
    if !bytes.is_empty() || zero == Zero::Written {
        out.put_head(field.number, bytes.len());
        out.sheet.put_slice(bytes);
    }
}

/// The greatest whole number of a kind that it holds exactly and as no other kind does.
fn max(kind: Kind) -> u64 {
    match kind {
        Kind::Int32 | Kind::Enum | Kind::Sint32 => i32::MAX as u64,
        Kind::Uint32 | Kind::Fixed32 => u64::from(u32::MAX),
        Kind::Int64 | Kind::Sfixed64 => i64::MAX as u64,
        Kind::Double => 1 << f64::MANTISSA_DIGITS,
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
