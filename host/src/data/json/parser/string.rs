//! Strings of JSON: where one lies that has no escapes, and what one says that has.

use std::ops::Range;

use super::Parser;
use crate::data::json::error::Fault;
use crate::data::json::words::next_special;

impl<'a> Parser<'a> {
    /// Consumes a string; the answer is its content.
    #[inline(always)]
    pub fn string(&mut self) -> Result<&[u8], Fault> {
        let plain = self.plain_string();
        if plain.is_none() {
            self.unescape()?;
        }
        Ok(self.content(plain))
    }

    /// What a string says that was plain or else was the last one that was not.
    #[inline(always)]
    pub(super) fn content(&self, plain: Option<Range<usize>>) -> &[u8] {
        match plain {
            Some(range) => self.json.get(range).unwrap_or_default(),
            None => &self.unescaped,
        }
    }

    /// Consumes a string that begins here and has no escape, as most strings; the answer is where its content lies.
    #[inline(always)]
    pub fn plain_string(&mut self) -> Option<Range<usize>> {
        if self.json.get(self.at) != Some(&b'"') {
            return None;
        }
        let from = self.at + 1;
        let to = next_special(self.json, from);
        if self.json.get(to) != Some(&b'"') {
            return None;
        }
        self.at = to + 1;
        Some(from..to)
    }

    /// Consumes any string; its content is in `unescaped` then.
    #[inline(never)]
    pub(super) fn unescape(&mut self) -> Result<(), Fault> {
        if self.peek()? != b'"' {
            return Err(self.error("a text in double quotes is needed here"));
        }
        self.at += 1;
        let mut content = std::mem::take(&mut self.unescaped);
        content.clear();
        loop {
            content.extend_from_slice(self.run()?);
            if self.json.get(self.at) == Some(&b'"') {
                self.at += 1;
                self.unescaped = content;
                return Ok(());
            }
            self.escape(&mut content)?;
        }
    }

    /// The characters of a string up to its end or the next backslash.
    fn run(&mut self) -> Result<&'a [u8], Fault> {
        let end = next_special(self.json, self.at);
        let Some(&special) = self.json.get(end) else {
            return Err(self.error("a text begins or goes on here that does not end: close the quotes"));
        };
        let run = self.json.get(self.at..end).unwrap_or_default();
        self.at = end;
        match special {
            b'"' | b'\\' => Ok(run),
            _ => Err(self.error("a control character in a text: escape it, as in \\n or \\u0000")),
        }
    }

    /// Consumes one escape, which begins at the next byte.
    fn escape(&mut self, content: &mut Vec<u8>) -> Result<(), Fault> {
        let plain = match self.json.get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(content),
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            _ => return Err(self.error("no such escape in JSON: a backslash itself is written \\\\")),
        };
        content.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self, content: &mut Vec<u8>) -> Result<(), Fault> {
        let first = self.unicode_unit(self.at)?;
        let (code, length) = match first {
            0xd800..=0xdbff => match self.unicode_unit(self.at + 6) {
                Ok(second @ 0xdc00..=0xdfff) => (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12),
                _ => (first, 6),
            },
            _ => (first, 6),
        };
        let Some(character) = char::from_u32(code) else {
            return Err(self.error("half of a surrogate pair, which is no character: send both halves or neither"));
        };
        content.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += length;
        Ok(())
    }

    fn unicode_unit(&self, at: usize) -> Result<u32, Fault> {
        let digits = match self.json.get(at..at + 6) {
            Some([b'\\', b'u', digits @ ..]) => digits,
            _ => return Err(self.error("\\u needs four hexadecimal digits")),
        };
        digits.iter().try_fold(0, |unit, &digit| match char::from(digit).to_digit(16) {
            Some(digit) => Ok(unit << 4 | digit),
            None => Err(self.error("\\u needs four hexadecimal digits")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_their_characters() {
        let text = br#" "a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z" "#;
        let mut parser = Parser::new(text);
        assert_eq!(parser.string().unwrap(), "a\"\\/\u{8}\u{c}\n\r\tAé€😀z".as_bytes());
        parser.end().unwrap();
    }
}
