//! Looking at text eight bytes at a time, as one integer whose lowest byte is the first.
//!
//! Strings of telemetry are short: most of them end in their second or third word, where wider vectors have not paid
//! for their set-up yet.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The eight bytes from `at`; zeros where there are none.
#[inline(always)]
pub const fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.split_at_checked(at) {
        Some((_, rest)) => match rest.first_chunk() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => last_word(rest),
        },
        None => 0,
    }
}

#[cold]
#[inline(never)]
const fn last_word(mut rest: &[u8]) -> u64 {
    let (mut word, mut shift) = (0, 0);
    while let [byte, behind @ ..] = rest {
        word |= (*byte as u64) << shift;
        shift += 8;
        rest = behind;
    }
    word
}

/// Ones in the lowest `count` bytes, or in all of them.
#[inline(always)]
pub const fn low_bytes(count: usize) -> u64 {
    if count < 8 { (1 << (8 * count)) - 1 } else { u64::MAX }
}

/// Not zero if a byte must be escaped in a JSON string or ends it: a control character, a quote or a backslash. The
/// lowest bit that is set belongs to the first of them; of the bits above it nothing is known.
#[inline(always)]
pub fn specials(word: u64) -> u64 {
    // Subtracted from a byte that is not greater, a one sets the highest bit, and takes from the byte above.
    let controls = word.wrapping_sub(ONES * 0x20);
    let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (controls | quotes | backslashes) & !word & HIGHS
}

/// Whether all are ASCII and none is special.
#[inline(always)]
pub fn is_plain(chunk: &[u8; 16]) -> bool {
    // Without branches, so that it is a few instructions on vectors.
    !chunk.iter().fold(false, |other, &byte| other | ((byte as i8) < b' ' as i8) | (byte == b'"') | (byte == b'\\'))
}

/// The number that eight decimal digits write.
#[inline(always)]
pub fn eight_digits(word: u64) -> Option<u64> {
    const ZEROS: u64 = ONES * b'0' as u64;
    // A digit has a 3 above, also with 6 added, which takes the characters behind 9 to the next.
    let above = |word: u64| word & (ONES * 0xf0);
    if above(word) != ZEROS || above(word.wrapping_add(ONES * 6)) != ZEROS {
        return None;
    }
    // Neighbours are joined: digits, then pairs, then fours. The first digit is in the lowest byte.
    let pairs = (word & (ONES * 0x0f)).wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Not zero if a byte is not ASCII.
#[inline(always)]
pub fn not_ascii(word: u64) -> u64 {
    word & HIGHS
}

/// The index of the byte of the lowest bit that is set.
#[inline(always)]
pub fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Where the first special byte (see [`specials`]) is from `at` on; the end, if there is none.
#[inline(always)]
pub fn next_special(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    let (words, rest) = bytes.get(at..).unwrap_or_default().as_chunks();
    for word in words {
        let marks = specials(u64::from_le_bytes(*word));
        if marks != 0 {
            return at + first(marks);
        }
        at += 8;
    }
    // What is not there is zero, and so special.
    (at + first(specials(last_word(rest)))).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_ends_with_zeros_where_the_text_ends() {
        let text = b"abcdefghij";
        assert_eq!(word(text, 0).to_le_bytes(), *b"abcdefgh");
        assert_eq!(word(text, 7).to_le_bytes(), *b"hij\0\0\0\0\0");
        assert_eq!((word(text, 10), word(text, 11)), (0, 0));
    }

    #[test]
    fn eight_digits_are_a_number_and_nothing_else_is() {
        for (text, number) in
            [("00000000", 0), ("12345678", 12_345_678), ("99999999", 99_999_999), ("90000001", 90_000_001)]
        {
            assert_eq!(eight_digits(word(text.as_bytes(), 0)), Some(number));
        }
        for position in 0..8 {
            for other in (0..=255).filter(|byte: &u8| !byte.is_ascii_digit()) {
                let mut text = *b"45678901";
                text[position] = other;
                assert_eq!(eight_digits(word(&text, 0)), None, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(text in "[a-z\"\\\\\u{0}\u{1f} !\u{7f}é]{0,40}", at in 0..40usize) {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let model = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\');
            let found = next_special(text.as_bytes(), at);
            prop_assert_eq!(found, model.map_or(text.len(), |index| at + index));
        }
    }
}
