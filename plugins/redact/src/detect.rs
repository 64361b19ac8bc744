//! What is looked for in a text, by hand instead of by regular expressions: a check digit or an address is no
//! regular language anyway. Which texts are worth it, `marks` says.

mod address;
mod card;
mod email;
mod token;

pub use address::{ipv4, ipv6};
pub use card::cards;
pub use email::emails;
pub use token::tokens;

/// A detector: adds the places in a text of what it finds.
#[cfg(test)]
pub(crate) type Find = fn(&str, &mut Vec<std::ops::Range<usize>>);

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
pub(crate) fn all(find: Find, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    find(text, &mut found);
    found.into_iter().filter_map(|range| text.get(range)).map(str::to_owned).collect()
}
