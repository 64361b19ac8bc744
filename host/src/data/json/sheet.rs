//! Bytes under construction, in a vector that is longer than they are.
//!
//! Everything is written in blocks of constant length, of which only the beginning may count: such a copy is one or two
//! instructions, where one of the exact length is a call that looks for the best way to copy so much.

use std::ops::Range;

use crate::data::wire::varint_len;

/// Texts that are not longer are copied with what follows them.
const BLOCK: usize = 32;

/// Bytes under construction.
#[derive(Debug, Default)]
pub struct Sheet {
    /// What was written, and room behind it.
    bytes: Vec<u8>,
    len: usize,
}

impl Sheet {
    /// With room for that many bytes.
    pub fn with_capacity(bytes: usize) -> Sheet {
        Sheet { bytes: vec![0; bytes], len: 0 }
    }

    /// How many bytes were written.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes a block of which the first `used` bytes count.
    #[inline(always)]
    pub fn block<const N: usize>(&mut self, block: &[u8; N], used: usize) {
        match self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            Some(place) => *place = *block,
            None => self.grow(block),
        }
        self.len += used.min(N);
    }

    /// Writes all of a block.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, block: &[u8; N]) {
        self.block(block, N);
    }

    /// Writes bytes.
    #[inline(never)]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.bytes.get_mut(self.len..end) {
            Some(place) => place.copy_from_slice(bytes),
            None => self.grow(bytes),
        }
        self.len = end;
    }

    /// Writes what lies in `range` of `source`.
    #[inline(always)]
    pub fn put_range(&mut self, source: &[u8], range: Range<usize>) {
        match source.get(range.start..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            Some(block) if range.len() <= BLOCK => self.block(block, range.len()),
            _ => self.put_slice(source.get(range).unwrap_or_default()),
        }
    }

    /// Writes a varint.
    #[inline(always)]
    pub fn put_varint(&mut self, value: u64) {
        if value < 0x80 { self.put(&[value as u8]) } else { self.put_long_varint(value) }
    }

    fn put_long_varint(&mut self, value: u64) {
        let mut block = [0; 10];
        let length = varint_len(value);
        let mut rest = value;
        for byte in block.iter_mut().take(length) {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(last) = block.get_mut(length - 1) {
            *last &= 0x7f;
        }
        self.block(&block, length);
    }

    /// Replaces the byte at `at`, which was written before.
    #[inline(always)]
    pub fn set(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at) {
            *place = byte;
        }
    }

    /// What was written.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.bytes
    }

    /// Writes bytes for which there is no room yet, without counting them.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.len);
        self.bytes.extend_from_slice(bytes);
        // As a vector grows: the room was more than doubled, if it was not enough.
        self.bytes.resize(self.bytes.capacity(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::wire::put_varint;

    #[test]
    fn what_counts_is_what_is_there() {
        let source: Vec<u8> = (0..100).collect();
        let (mut sheet, mut expected) = (Sheet::default(), Vec::new());
        for length in [0, 1, 31, 32, 33, 60, 100] {
            sheet.put_range(&source, 0..length);
            expected.extend_from_slice(&source[..length]);
            sheet.put_range(&source, 100 - length..100);
            expected.extend_from_slice(&source[100 - length..]);
            sheet.block(&[7, 8, 9], 2);
            expected.extend_from_slice(&[7, 8]);
        }
        sheet.set(1, 99);
        expected[1] = 99;
        assert_eq!(sheet.len(), expected.len());
        assert_eq!(sheet.finish(), expected);
    }

    #[test]
    fn varints_are_those_of_the_wire() {
        for bits in 0..64 {
            for value in [(1u64 << bits) - 1, 1 << bits, u64::MAX >> bits] {
                let (mut sheet, mut expected) = (Sheet::default(), Vec::new());
                sheet.put_varint(value);
                put_varint(&mut expected, value);
                assert_eq!(sheet.finish(), expected, "{value}");
            }
        }
    }
}
