//! Which detectors a text is worth: one pass over its bytes that finds where those kinds of bytes lie that every
//! match needs, as bits of one word for 64 bytes, and then asks a few questions of these words.
//!
//! A question errs on one side only: it may call for a detector that finds nothing, but never keeps one from finding.
//! So nearly all texts cost two or three instructions a byte and are not looked at again; the detectors themselves,
//! which look at single bytes, read what is likely to match.

mod bits;

use self::bits::Bits;

/// The detectors that may find something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A run of digits, single spaces or dashes between them, as long as the shortest card number.
    pub card: bool,
    /// An `@`, or a `%`, as URLs write one.
    pub email: bool,
    /// Three dots between digits, as far apart as those of an address are at most.
    pub ipv4: bool,
    /// Two colons side by side, or as many as an address without them has, as far apart as they are at most.
    pub ipv6: bool,
    /// A space behind an `r`, or a `J` behind a `y`.
    pub token: bool,
}

/// Bytes of the shortest thing that any detector finds: `::1`.
const LENGTH_MIN: usize = 3;

impl Marks {
    /// Those of a text.
    #[inline]
    pub fn of(text: &str) -> Marks {
        let mut seen = Seen::default();
        let mut at = 0;
        if text.len() >= LENGTH_MIN {
            for block in text.as_bytes().chunks(64) {
                seen.block(at, &Bits::of(block));
                at += 64;
            }
        }
        seen.marks
    }

    /// Whether no detector would find anything.
    pub fn is_none(self) -> bool {
        self == Marks::default()
    }
}

/// What the blocks up to here have shown.
#[derive(Default)]
struct Seen {
    marks: Marks,
    /// The last bits of the block before, as the lowest one of each.
    digit: u64,
    letter_r: u64,
    letter_y: u64,
    /// How long the run of digits and separators is that reaches to the end.
    run: u32,
    dots: Chain,
    colons: Chain,
}

/// Marks that follow each other closely.
#[derive(Default)]
struct Chain {
    last: usize,
    length: usize,
}

impl Chain {
    /// Adds the marks of a block and says whether so many are at most `gap` bytes apart from each other.
    #[inline]
    fn reaches(&mut self, wanted: usize, gap: usize, at: usize, mut marks: u64) -> bool {
        let mut reached = false;
        while marks != 0 {
            let mark = at + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            let close = self.length > 0 && mark - self.last <= gap;
            self.length = if close { self.length + 1 } else { 1 };
            self.last = mark;
            reached |= self.length >= wanted;
        }
        reached
    }
}

/// Digits and separators of the shortest card number.
const CARD: u32 = 13;

impl Seen {
    #[inline]
    fn block(&mut self, at: usize, bits: &Bits) {
        // What comes behind the block is not known yet, so it may be a digit.
        let behind_digit = bits.digit << 1 | self.digit;
        let between_digits = behind_digit & (bits.digit >> 1 | 1 << 63);
        self.marks.email |= bits.at != 0;
        self.marks.token |= bits.space & (bits.letter_r << 1 | self.letter_r) != 0;
        self.marks.token |= bits.letter_j & (bits.letter_y << 1 | self.letter_y) != 0;
        self.marks.ipv4 |= self.dots.reaches(3, 4, at, bits.dot & between_digits);
        if bits.colon != 0 {
            let before = self.colons.last;
            let adjacent = self.colons.length > 0 && at > 0 && before + 1 == at && bits.colon & 1 != 0;
            self.marks.ipv6 |= adjacent || bits.colon & bits.colon << 1 != 0;
            self.marks.ipv6 |= self.colons.reaches(6, 5, at, bits.colon);
        }
        self.cards(bits.digit | (bits.space | bits.dash) & between_digits);
        self.digit = bits.digit >> 63;
        self.letter_r = bits.letter_r >> 63;
        self.letter_y = bits.letter_y >> 63;
    }

    /// Whether there is a run of 13 bits.
    #[inline]
    fn cards(&mut self, runs: u64) {
        let two = runs & runs >> 1;
        let four = two & two >> 2;
        let eight = four & four >> 4;
        self.marks.card |= eight & eight >> (CARD - 8) != 0 || self.run + runs.trailing_ones() >= CARD;
        self.run = if runs == u64::MAX { self.run.saturating_add(64) } else { runs.leading_ones() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect;

    /// Texts of the bytes that matter, one behind the other without a seed from outside.
    fn texts() -> impl Iterator<Item = String> {
        const PARTS: [&str; 24] = [
            "4111111111111111",
            "4111 1111 1111 1111",
            "378282246310005",
            "10.0.0.1",
            "255.255.255.255",
            "::1",
            "2001:db8::1",
            "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            "::ffff:10.0.0.1",
            "a@b.co",
            "x%40y.org",
            "Bearer abcdefgh12",
            "eyJhbGciOi.eyJzdWIi.c2ln",
            " ",
            ".",
            ":",
            "-",
            "1",
            "12:34:56",
            "ü",
            "GET /api/",
            "Mozilla/5.0 (X11) Chrome/131.0",
            "r",
            "0000000000000000000000000000000000000000000000000000000000",
        ];
        let mut state = 1u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        (0..20_000).map(move |_| (0..next() % 12).map(|_| PARTS[next() % PARTS.len()]).collect())
    }

    #[test]
    fn no_detector_finds_what_was_not_marked() {
        for text in texts() {
            let marks = Marks::of(&text);
            let finds = |find: detect::Find| !detect::all(find, &text).is_empty();
            assert!(marks.card || !finds(detect::cards), "card in {text}");
            assert!(marks.email || !finds(detect::emails), "email in {text}");
            assert!(marks.ipv4 || !finds(detect::ipv4), "ipv4 in {text}");
            assert!(marks.ipv6 || !finds(detect::ipv6), "ipv6 in {text}");
            assert!(marks.token || !finds(detect::tokens), "token in {text}");
        }
    }

    #[test]
    fn what_telemetry_is_full_of_is_not_marked() {
        for text in [
            "GET",
            "/api/products/81231",
            "frontend.shop.svc.cluster.local",
            "1.1",
            "2.7.1",
            "12:34:56",
            "user-4fc1d0a9",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0",
            "http://node-17.cluster.local:8080/",
            "0f7b2c52-8a7f-4c43-9d0e-3c8c2f6b7f11",
            "2026-11-21T15:50:00Z",
            "00:1b:44:11:3a:b7",
        ] {
            assert!(Marks::of(text).is_none(), "{text}: {:?}", Marks::of(text));
        }
    }
}
