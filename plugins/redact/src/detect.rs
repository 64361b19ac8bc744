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

/// Which kinds of bytes a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(u8);

impl Bytes {
    /// `0` to `9`.
    pub const DIGIT: Bytes = Bytes(1);
    /// `@`
    pub const AT: Bytes = Bytes(2);
    /// `:`
    pub const COLON: Bytes = Bytes(4);
    /// `.`
    pub const DOT: Bytes = Bytes(8);
    /// `%`
    pub const PERCENT: Bytes = Bytes(16);
    /// A space.
    pub const SPACE: Bytes = Bytes(32);

    /// The kind of each byte.
    const KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut digit = b'0';
        while digit <= b'9' {
            kinds[digit as usize] = Bytes::DIGIT.0;
            digit += 1;
        }
        kinds[b'@' as usize] = Bytes::AT.0;
        kinds[b':' as usize] = Bytes::COLON.0;
        kinds[b'.' as usize] = Bytes::DOT.0;
        kinds[b'%' as usize] = Bytes::PERCENT.0;
        kinds[b' ' as usize] = Bytes::SPACE.0;
        kinds
    };

    /// Those of a text.
    #[inline]
    pub fn of(text: &str) -> Bytes {
        Bytes(text.bytes().fold(0, |kinds, byte| kinds | Bytes::KINDS[usize::from(byte)]))
    }

    /// Whether it has some of those.
    pub const fn have(self, other: Bytes) -> bool {
        self.0 & other.0 != 0
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
