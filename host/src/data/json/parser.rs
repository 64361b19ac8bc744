//! Reading JSON text piece by piece (RFC 8259), without building anything.
//!
//! The text was checked to be UTF-8 before. Whoever calls keeps the nesting bounded, except within values that
//! are skipped, which are bounded here.

mod string;

use std::borrow::Cow;

use super::error::{Fault, JsonError};
use super::words::{eight_digits, first, low_bytes, word};

/// How deep a value may nest that belongs to an unknown name.
const SKIPPED_DEPTH_MAX: usize = 128;

const SPACES: u64 = u64::from_le_bytes([b' '; 8]);

/// A place in a JSON text.
#[derive(Debug)]
pub struct Parser<'a> {
    json: &'a [u8],
    at: usize,
    /// The last string that had escapes, without them.
    unescaped: Vec<u8>,
}

impl<'a> Parser<'a> {
    /// At the start of a text, which must be UTF-8.
    pub fn new(json: &'a [u8]) -> Parser<'a> {
        Parser { json, at: 0, unescaped: Vec::new() }
    }

    /// The text.
    pub fn json(&self) -> &'a [u8] {
        self.json
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Goes back to an offset at which it was.
    pub fn back_to(&mut self, offset: usize) {
        self.at = offset;
    }

    /// Whether this text is next, which is consumed then.
    #[inline(always)]
    pub fn starts_with(&mut self, text: &[u8]) -> bool {
        let found = self.json.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if found {
            self.at += text.len();
        }
        found
    }

    /// Consumes this text, if it is next.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let found = self.json.get(self.at..)?.first_chunk::<N>()?;
        if found != text {
            return None;
        }
        self.at += N;
        Some(())
    }

    /// An error at the next byte.
    #[cold]
    pub fn error(&self, what: impl Into<Cow<'static, str>>) -> Fault {
        JsonError::new(self.at, what)
    }

    /// The next byte that is not white space, which is not consumed.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<u8, Fault> {
        match self.json.get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_space(),
        }
    }

    #[inline(never)]
    fn peek_behind_space(&mut self) -> Result<u8, Fault> {
        self.skip_space().ok_or_else(|| self.error("the document ends here, in the middle of a value: send all of it"))
    }

    /// Nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.skip_space() {
            None => Ok(()),
            Some(_) => Err(self.error("something follows the document: send one document a request")),
        }
    }

    fn skip_space(&mut self) -> Option<u8> {
        loop {
            // An indentation is most of what there is to skip.
            let spaces = first(word(self.json, self.at) ^ SPACES);
            self.at += spaces;
            match self.json.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += usize::from(spaces < 8),
                next => return next.copied(),
            }
        }
    }

    /// Consumes the opening byte of an object or list.
    #[inline(always)]
    pub fn open(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(self.error(match byte {
                b'{' => "an object {…} is needed here",
                _ => "a list […] is needed here",
            }));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another element or member follows; consumes the comma before it, or the closing byte. `first`
    /// begins as true.
    #[inline(always)]
    pub fn more(&mut self, close: u8, first: &mut bool) -> Result<bool, Fault> {
        let next = self.peek()?;
        if next == close {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            if next != b',' {
                return Err(self.error(match close {
                    b'}' => "a comma or '}' is needed here",
                    _ => "a comma or ']' is needed here",
                }));
            }
            self.at += 1;
            if self.peek()? == close {
                return Err(self.error("nothing follows the comma: remove it"));
            }
        }
        Ok(true)
    }

    /// Consumes the name of a member and the colon behind it. The answer is its first eight bytes as a [`word`], and all
    /// of it.
    #[inline(always)]
    pub fn name(&mut self) -> Result<(u64, &[u8]), Fault> {
        if self.peek()? != b'"' {
            return Err(self.error("a name in double quotes is needed here"));
        }
        let plain = self.plain_string();
        if plain.is_none() {
            self.unescape()?;
        }
        if self.peek()? != b':' {
            return Err(self.error("a colon is needed after a name"));
        }
        self.at += 1;
        let head = match &plain {
            Some(range) => word(self.json, range.start),
            None => word(&self.unescaped, 0),
        };
        let name = self.content(plain);
        Ok((head & low_bytes(name.len()), name))
    }

    /// Consumes `null`, if it is next.
    #[inline(always)]
    pub fn null(&mut self) -> Result<bool, Fault> {
        if self.peek()? != b'n' {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    /// Consumes `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Fault> {
        match self.peek()? {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => Err(self.error("true or false is needed here, without quotes")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        let rest = self.json.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error("not a JSON value: text is in double quotes, the only words are true, false, null"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Consumes a number; the answer is its text.
    pub fn number(&mut self) -> Result<&'a [u8], Fault> {
        self.peek()?;
        let rest = self.json.get(self.at..).unwrap_or_default();
        match number_length(rest) {
            Some(length) => {
                self.at += length;
                Ok(rest.get(..length).unwrap_or_default())
            }
            None => Err(self.error("a number is needed here")),
        }
    }

    /// Consumes a whole number in its usual form, digits without a sign, in quotes or not, if it is not above `max`.
    #[inline(always)]
    pub fn plain_integer(&mut self, max: u64) -> Option<u64> {
        let quotes = usize::from(self.json.get(self.at) == Some(&b'"'));
        let from = self.at + quotes;
        let (mut value, mut to) = (0u64, from);
        // Of up to 19 digits each number is below 2^64.
        while let Some(digits) = eight_digits(word(self.json, to))
            && to - from < 16
        {
            value = value * 100_000_000 + digits;
            to += 8;
        }
        while let Some(digit @ 0..=9) = self.json.get(to).map(|byte| byte.wrapping_sub(b'0'))
            && to - from < 19
        {
            value = value * 10 + u64::from(digit);
            to += 1;
        }
        let ends = match self.json.get(to) {
            Some(b'"') => quotes == 1,
            Some(b',' | b'}' | b']') => quotes == 0,
            _ => false,
        };
        let starts = to - from == 1 || to > from && self.json.get(from) != Some(&b'0');
        if !ends || !starts || value > max {
            return None;
        }
        self.at = to + quotes;
        Some(value)
    }

    /// Consumes any value and forgets it; `depth` is how deep it lies within what is skipped.
    pub fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        let next = self.peek()?;
        if depth > SKIPPED_DEPTH_MAX && matches!(next, b'{' | b'[') {
            return Err(self.error(format!("values nest deeper than {SKIPPED_DEPTH_MAX} levels: send them flatter")));
        }
        let mut first = true;
        match next {
            b'{' => {
                self.at += 1;
                while self.more(b'}', &mut first)? {
                    self.name()?;
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.at += 1;
                while self.more(b']', &mut first)? {
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.word("null"),
        }
    }
}

/// How many bytes of `text` are a number as JSON writes it, if it begins with one.
pub fn number_length(text: &[u8]) -> Option<usize> {
    let whole = usize::from(text.first() == Some(&b'-'));
    let mut at = match text.get(whole) {
        // No digit follows a zero.
        Some(b'0') => whole + 1,
        _ => digits(text, whole)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits(text, at + 1 + sign)?;
    }
    Some(at)
}

/// Where the digits end that begin at `from`, if there are any.
fn digits(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > from).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_grammar() {
        for whole in ["0", "-0", "10", "1.5", "-1.50e+10", "1E3", "0e0", "0.0"] {
            assert_eq!(number_length(whole.as_bytes()), Some(whole.len()), "{whole}");
        }
        for none in ["", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "NaN", "Infinity"] {
            assert_eq!(number_length(none.as_bytes()), None, "{none}");
        }
        assert_eq!(number_length(b"007"), Some(1));
        assert_eq!(number_length(b"0x10"), Some(1));
    }
}
