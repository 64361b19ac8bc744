//! Card numbers.

use std::ops::Range;

use super::{next, run, word_ends, word_starts};

/// ISO/IEC 7812: at most 19 digits; nobody issues fewer than 13.
const DIGITS: Range<usize> = 13..20;

/// Finds card numbers: groups of digits, one space or dash between them, 13 to 19 digits with a right check digit.
/// None begins with 0 or 1, which leaves out most of what else has so many digits: times in nanoseconds.
pub fn cards(text: &str, found: &mut Vec<Range<usize>>) {
    let text = text.as_bytes();
    let mut from = 0;
    while let Some(at) = next(text, from, |byte| byte.is_ascii_digit()) {
        from = match card_at(text, at) {
            Some(end) => {
                found.push(at..end);
                end
            }
            None => at + run(text, at, |byte| byte.is_ascii_digit()),
        };
    }
}

/// Where the longest card number that begins at `at` ends.
fn card_at(text: &[u8], at: usize) -> Option<usize> {
    if !word_starts(text, at) || matches!(text.get(at), Some(b'0' | b'1')) {
        return None;
    }
    let mut digits = Digits::default();
    let mut end = at;
    let mut card = None;
    loop {
        let group = run(text, end, |byte| byte.is_ascii_digit());
        if group == 0 || digits.count + group >= DIGITS.end {
            return card;
        }
        digits.add(text.get(end..end + group)?);
        end += group;
        if DIGITS.contains(&digits.count) && digits.check() && word_ends(text, end) {
            card = Some(end);
        }
        if !matches!(text.get(end), Some(b' ' | b'-')) {
            return card;
        }
        end += 1;
    }
}

/// Sums for the check digit, kept as if the number ended at an even and at an odd digit.
#[derive(Default)]
struct Digits {
    count: usize,
    plain: u32,
    doubled: u32,
}

impl Digits {
    fn add(&mut self, digits: &[u8]) {
        for digit in digits.iter().map(|digit| u32::from(digit - b'0')) {
            let twice = if digit > 4 { digit * 2 - 9 } else { digit * 2 };
            // What is doubled counts from the end, so with each further digit the two sums change places.
            (self.plain, self.doubled) = (self.doubled + digit, self.plain + twice);
            self.count += 1;
        }
    }

    /// Luhn (ISO/IEC 7812-1, annex B): the last digit is not doubled, and the sum ends in 0.
    fn check(&self) -> bool {
        self.plain.is_multiple_of(10)
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn cards_are_found_by_their_check_digit() {
        for card in
            ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "6011000990139424"]
        {
            assert_eq!(all(cards, &format!("card={card}, next")), [card]);
        }
        assert_eq!(all(cards, "4111 1111 1111 1111 2027"), ["4111 1111 1111 1111"]);
        assert_eq!(all(cards, "43 4111 1111 1111 1111"), ["4111 1111 1111 1111"]);
        let nothing = [
            "4111111111111112",
            "a4111111111111111",
            "4111111111111111b",
            "41111111111111110000",
            "1700000000000000000",
        ];
        for text in nothing {
            assert_eq!(all(cards, text), [""; 0], "{text}");
        }
    }
}
