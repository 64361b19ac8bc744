//! Where the bytes of each kind lie among up to 64: a bit each, the first byte the lowest.

/// The bits of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// `0` to `9`.
    pub digit: u64,
    /// `.`
    pub dot: u64,
    /// `@` and `%`.
    pub at: u64,
    /// `:`
    pub colon: u64,
    /// A space.
    pub space: u64,
    /// `-`
    pub dash: u64,
    /// `r` and `R`.
    pub letter_r: u64,
    /// `y`
    pub letter_y: u64,
    /// `J`
    pub letter_j: u64,
}

impl Bits {
    /// Those of up to 64 bytes.
    #[inline]
    pub fn of(block: &[u8]) -> Bits {
        let mut bits = Bits::default();
        let (chunks, rest) = block.as_chunks::<16>();
        let mut at = 0;
        for chunk in chunks {
            bits.add(at, halves(chunk));
            at += 16;
        }
        match (rest.len(), block.last_chunk::<16>()) {
            (0, _) => {}
            // Read again from the end, which is quicker than byte by byte; what was seen before is shifted out.
            (length, Some(last)) => bits.add(at, shifted(halves(last), 16 - length)),
            (_, None) => bits.add(at, short(rest)),
        }
        bits
    }

    /// Adds 16 bytes that lie at `at`, given as two words.
    #[inline]
    fn add(&mut self, at: u32, bytes: [u64; 2]) {
        let kinds = kinds(bytes);
        let all = [
            &mut self.digit,
            &mut self.dot,
            &mut self.at,
            &mut self.colon,
            &mut self.space,
            &mut self.dash,
            &mut self.letter_r,
            &mut self.letter_y,
            &mut self.letter_j,
        ];
        for (bits, found) in all.into_iter().zip(kinds) {
            *bits |= u64::from(found) << at;
        }
    }
}

/// 16 bytes as two words.
#[inline]
fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

/// The bytes from `from` on, 1 to 15, with nothing behind them.
#[inline]
fn shifted([low, high]: [u64; 2], from: usize) -> [u64; 2] {
    let bits = 8 * from as u32;
    match bits {
        0 => [low, high],
        64.. => [high >> (bits - 64), 0],
        _ => [low >> bits | high << (64 - bits), high >> bits],
    }
}

/// Fewer than 16 bytes as two words, with nothing behind them.
#[inline]
fn short(bytes: &[u8]) -> [u64; 2] {
    // The first and the last bytes of a power of two overlap where the length is none.
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            [u64::from_le_bytes(*first), shifted([u64::from_le_bytes(*last), 0], 16 - bytes.len())[0]]
        }
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let behind = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
                [u64::from(u32::from_le_bytes(*first)) | behind, 0]
            }
            _ => [bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0],
        },
    }
}

/// For each kind, in the order of [`Bits`], a bit for each of 16 bytes.
#[cfg(target_feature = "simd128")]
#[inline]
fn kinds([low, high]: [u64; 2]) -> [u16; 9] {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128_or};
    let bytes = u64x2(low, high);
    let is = |byte: u8| u8x16_eq(bytes, u8x16_splat(byte));
    let lower = v128_or(bytes, u8x16_splat(0x20));
    [
        u8x16_bitmask(u8x16_lt(u8x16_sub(bytes, u8x16_splat(b'0')), u8x16_splat(10))),
        u8x16_bitmask(is(b'.')),
        u8x16_bitmask(v128_or(is(b'@'), is(b'%'))),
        u8x16_bitmask(is(b':')),
        u8x16_bitmask(is(b' ')),
        u8x16_bitmask(is(b'-')),
        u8x16_bitmask(u8x16_eq(lower, u8x16_splat(b'r'))),
        u8x16_bitmask(is(b'y')),
        u8x16_bitmask(is(b'J')),
    ]
}

/// The same where there are no vectors: in tests of the crate itself.
#[cfg(not(target_feature = "simd128"))]
fn kinds([low, high]: [u64; 2]) -> [u16; 9] {
    let bytes = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
    let of =
        |kind: fn(u8) -> bool| bytes.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u16::from(kind(byte)) << at);
    [
        of(|byte| byte.is_ascii_digit()),
        of(|byte| byte == b'.'),
        of(|byte| byte == b'@' || byte == b'%'),
        of(|byte| byte == b':'),
        of(|byte| byte == b' '),
        of(|byte| byte == b'-'),
        of(|byte| byte | 0x20 == b'r'),
        of(|byte| byte == b'y'),
        of(|byte| byte == b'J'),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_bit_whatever_the_length() {
        let text: Vec<u8> = (0..64).map(|at| b"7x.@:%z -rRyJ"[at % 13]).collect();
        for length in 0..=64 {
            let block = &text[..length];
            let bits = Bits::of(block);
            let of = |kind: fn(u8) -> bool| {
                block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u64::from(kind(byte)) << at)
            };
            assert_eq!(bits.digit, of(|byte| byte.is_ascii_digit()), "{length}");
            assert_eq!(bits.at, of(|byte| byte == b'@' || byte == b'%'), "{length}");
            assert_eq!(bits.letter_r, of(|byte| byte == b'r' || byte == b'R'), "{length}");
            assert_eq!(bits.dot | bits.colon | bits.space | bits.dash, of(|byte| b".: -".contains(&byte)), "{length}");
            assert_eq!(bits.letter_y | bits.letter_j, of(|byte| byte == b'y' || byte == b'J'), "{length}");
        }
    }
}
