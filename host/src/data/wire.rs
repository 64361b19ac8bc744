//! The protobuf wire format: reading fields from bytes without decoding messages, and writing them.
//!
//! Source: protobuf.dev, "Encoding". Nothing here panics or allocates, whatever the bytes are.

use std::ops::Range;

/// Bytes that are not a message of the wire format, or not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at byte {at})")]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// Where, as an offset into the request.
    pub at: usize,
}

/// How a field's value is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: where the content lies. Indexes fit, as the reader checked them against its end.
    Bytes {
        /// First byte of the content.
        from: usize,
        /// One past the last byte.
        to: usize,
    },
    /// Wire type 5.
    Fixed32(u32),
    /// Wire types 3 and 4, skipped to the matching end: only in unknown fields.
    Group,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field number, never 0.
    pub number: u32,
    /// Its value.
    pub payload: Payload,
    /// Offset of the tag.
    pub start: usize,
    /// Offset one past the value.
    pub end: usize,
}

impl Field {
    /// The content of a length-delimited field.
    pub fn content(&self) -> Option<Range<usize>> {
        match self.payload {
            Payload::Bytes { from, to } => Some(from..to),
            _ => None,
        }
    }
}

/// Groups are deprecated; nobody nests them deeper.
const GROUP_DEPTH_MAX: u32 = 32;

/// Reads the fields of one message, which lies between two offsets of a buffer.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// Everything up to the end of the message, so that offsets are those of the buffer and one bound holds for all.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads the message that all of `bytes` is.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Reads the message that lies in `range` of `bytes`; offsets stay those of `bytes`.
    pub fn within(bytes: &'a [u8], range: Range<usize>) -> Self {
        let bytes = bytes.get(..range.end).unwrap_or(bytes);
        Reader { bytes, at: range.start.min(bytes.len()) }
    }

    /// Where the next field begins.
    #[inline]
    pub fn offset(&self) -> usize {
        self.at
    }

    #[cold]
    #[inline(never)]
    fn malformed<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { what, at: self.at })
    }

    /// The next field, or none at the end of the message.
    // Called for every field of every record: a call that hands the field over through memory costs more than the
    // parsing itself.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<Field>, Malformed> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let number = (tag >> 3) as u32;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(Malformed { what: "field number out of range", at: start });
        }
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = self.varint()?;
                let from = self.at;
                if length > (self.bytes.len() - from) as u64 {
                    return self.malformed("length runs past the end of its message");
                }
                self.at = from + length as usize;
                Payload::Bytes { from, to: self.at }
            }
            3 => {
                self.skip_group(number)?;
                Payload::Group
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(Malformed { what: "unknown wire type", at: start }),
        };
        Ok(Some(Field { number, payload, start, end: self.at }))
    }

    /// The next field, if it has that one-byte tag of a length-delimited field and a length below 128: where it begins
    /// and its content.
    #[inline(always)]
    pub fn short(&mut self, tag: u8) -> Option<(usize, Range<usize>)> {
        let [first, length, ..] = self.bytes.get(self.at..)? else { return None };
        let (start, from) = (self.at, self.at + 2);
        let to = from + usize::from(*length);
        if *first != tag || *length >= 0x80 || to > self.bytes.len() {
            return None;
        }
        self.at = to;
        Some((start, from..to))
    }

    /// The next field, if it is length-delimited and has a tag and a length of one byte each: its number, where it begins
    /// and its content.
    #[inline(always)]
    pub fn short_field(&mut self) -> Option<(u32, usize, Range<usize>)> {
        let [tag, length, ..] = self.bytes.get(self.at..)? else { return None };
        let (start, from) = (self.at, self.at + 2);
        let to = from + usize::from(*length);
        if *tag < 8 || *tag & 0x87 != 2 || *length >= 0x80 || to > self.bytes.len() {
            return None;
        }
        self.at = to;
        Some((u32::from(*tag >> 3), start, from..to))
    }

    /// The next varint: also for packed fields.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return self.malformed("varint runs past the end of its message");
            };
            if shift == 63 && byte > 1 {
                return self.malformed("varint of more than 64 bits");
            }
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        self.malformed("varint of more than 64 bits")
    }

    /// The next little-endian number of `N` bytes: also for packed fields.
    #[inline]
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(value) = rest.first_chunk::<N>() else {
            return self.malformed("number runs past the end of its message");
        };
        self.at += N;
        Ok(*value)
    }

    #[cold]
    #[inline(never)]
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = [0u32; GROUP_DEPTH_MAX as usize];
        let mut depth = 0;
        open[0] = number;
        loop {
            let start = self.at;
            let tag = self.varint()?;
            let number = (tag >> 3) as u32;
            if number == 0 || tag > u64::from(u32::MAX) {
                return Err(Malformed { what: "field number out of range", at: start });
            }
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.fixed::<8>()?),
                2 => {
                    let length = self.varint()?;
                    if length > (self.bytes.len() - self.at) as u64 {
                        return self.malformed("length runs past the end of its message");
                    }
                    self.at += length as usize;
                }
                3 => {
                    depth += 1;
                    match open.get_mut(depth) {
                        Some(slot) => *slot = number,
                        None => return Err(Malformed { what: "groups nested too deep", at: start }),
                    }
                }
                4 if open.get(depth) == Some(&number) => match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => return Ok(()),
                },
                5 => drop(self.fixed::<4>()?),
                _ => return Err(Malformed { what: "group that does not end", at: start }),
            }
        }
    }
}

/// How many bytes `value` takes as a varint.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // ⌈bits / 7⌉ without a division: 9/64 is a good enough 1/7 up to 64 bits.
    ((64 - (value | 1).leading_zeros() as usize) * 9 + 64) / 64
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a field of wire type `wire_type`.
#[inline]
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends a varint field.
#[inline]
pub fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 0);
    put_varint(out, value);
}

/// Appends a length-delimited field.
#[inline]
pub fn put_bytes_field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Appends a 64-bit field (fixed64, sfixed64, double).
#[inline]
pub fn put_fixed64_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_the_length_that_is_foretold() {
        for bits in 0..64 {
            for value in [(1u64 << bits) - 1, 1 << bits, u64::MAX >> bits] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(Reader::new(&out).varint(), Ok(value));
            }
        }
    }

    #[test]
    fn a_lying_length_is_malformed() {
        let field = Reader::new(&[0x0a, 0x05, 1, 2]).field();
        assert_eq!(field, Err(Malformed { what: "length runs past the end of its message", at: 2 }));
    }

    #[test]
    fn a_short_field_is_the_field_that_it_is() {
        let mut long = vec![0x0a, 0x80, 0x01];
        long.resize(3 + 128, 7);
        // A tag of two bytes, another wire type, a length that lies, number 0, nothing.
        for other in [&long[..], &[0x82, 0x01, 1, 7], &[0x08, 1], &[0x0a, 3, 1], &[0x02, 1, 7], &[0x0a], &[]] {
            let mut reader = Reader::new(other);
            assert_eq!((reader.short_field(), reader.offset()), (None, 0), "{other:?}");
        }
        let bytes = [0x08, 5, 0x7a, 2, 1, 2, 0x12, 0];
        let (mut reader, mut model) = (Reader::within(&bytes, 2..8), Reader::within(&bytes, 2..8));
        while let Some(short) = reader.short_field() {
            let field = model.field().unwrap().unwrap();
            assert_eq!(short, (field.number, field.start, field.content().unwrap()));
        }
        assert_eq!(reader.offset(), 8);
    }

    #[test]
    fn groups_are_skipped_to_their_end() {
        // group 5 { 1: varint 7, group 6 {} } then field 1
        let bytes = [0x2b, 0x08, 7, 0x33, 0x34, 0x2c, 0x08, 1];
        let mut reader = Reader::new(&bytes);
        let group = reader.field().unwrap().unwrap();
        assert_eq!((group.number, group.payload, group.end), (5, Payload::Group, 6));
        assert_eq!(reader.field().unwrap().unwrap().payload, Payload::Varint(1));
        assert_eq!(Reader::new(&bytes[..5]).field().unwrap_err().what, "varint runs past the end of its message");
    }

    #[test]
    fn a_field_number_out_of_range_is_malformed_inside_a_group_too() {
        // group 5 { 0: varint 7 }, and a tag of more than 32 bits
        for bytes in [&[0x2b, 0x00, 7, 0x2c][..], &[0x2b, 0x80, 0x80, 0x80, 0x80, 0x10, 7, 0x2c]] {
            let malformed = Reader::new(bytes).field().unwrap_err();
            assert_eq!((malformed.what, malformed.at), ("field number out of range", 1));
        }
    }
}
