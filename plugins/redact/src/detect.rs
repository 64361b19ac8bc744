//! What is looked for in a text, by hand instead of by regular expressions: most texts are ruled out by which bytes
//! they have at all, in one pass, and a check digit or an address is no regular language anyway.

mod address;
mod card;
mod email;
mod token;

pub use address::{ipv4, ipv6};
pub use card::cards;
pub use email::emails;
pub use token::tokens;

/// How many bytes of each kind a text has; 255 means that many or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// `0` to `9`.
    pub digits: u8,
    /// `@`
    pub ats: u8,
    /// `:`
    pub colons: u8,
    /// `.`
    pub dots: u8,
    /// `%`
    pub percents: u8,
    /// Spaces.
    pub spaces: u8,
}

impl Bytes {
    /// For each byte, a 1 in the lane of its kind: the bytes of a text are counted by one addition each.
    const LANES: [u64; 256] = {
        let mut lanes = [0; 256];
        let mut digit = b'0';
        while digit <= b'9' {
            lanes[digit as usize] = 1;
            digit += 1;
        }
        lanes[b'@' as usize] = 1 << 8;
        lanes[b':' as usize] = 1 << 16;
        lanes[b'.' as usize] = 1 << 24;
        lanes[b'%' as usize] = 1 << 32;
        lanes[b' ' as usize] = 1 << 40;
        lanes
    };

    /// Those of a text.
    #[inline]
    pub fn of(text: &str) -> Bytes {
        let mut total = Bytes::default();
        // A lane holds 255.
        for chunk in text.as_bytes().chunks(255) {
            let lanes = chunk.iter().fold(0u64, |sum, &byte| sum + Bytes::LANES[usize::from(byte)]);
            let [digits, ats, colons, dots, percents, spaces, ..] = lanes.to_le_bytes();
            total.digits = total.digits.saturating_add(digits);
            total.ats = total.ats.saturating_add(ats);
            total.colons = total.colons.saturating_add(colons);
            total.dots = total.dots.saturating_add(dots);
            total.percents = total.percents.saturating_add(percents);
            total.spaces = total.spaces.saturating_add(spaces);
        }
        total
    }
}

/// Whether the byte before `at` is not part of a word, or there is none.
fn word_starts(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|&byte| !is_word(byte))
}

/// Whether the byte at `at` is not part of a word, or there is none.
fn word_ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|&byte| !is_word(byte))
}

/// Letters, digits and whatever is not ASCII.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || byte == b'_'
}

/// Where the next byte of a kind is, from `at` on.
fn next(text: &[u8], at: usize, kind: impl Fn(u8) -> bool) -> Option<usize> {
    text.get(at..)?.iter().position(|&byte| kind(byte)).map(|ahead| at + ahead)
}

/// How many bytes from `at` on are of a kind.
fn run(text: &[u8], at: usize, kind: impl Fn(u8) -> bool) -> usize {
    text.get(at..).map_or(0, |rest| rest.iter().take_while(|&&byte| kind(byte)).count())
}

#[cfg(test)]
pub(crate) fn all(find: fn(&str, Bytes, &mut Vec<std::ops::Range<usize>>), text: &str) -> Vec<String> {
    let mut found = Vec::new();
    find(text, Bytes::of(text), &mut found);
    found.into_iter().filter_map(|range| text.get(range)).map(str::to_owned).collect()
}
