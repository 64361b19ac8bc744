//! Writing the scalars of JSON.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::words::{is_plain, low_bytes, next_special, not_ascii, specials, word};
use crate::data::wire::Malformed;

/// Appends a JSON string; `text` must be UTF-8.
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    put_characters(out, text);
    out.push(b'"');
}

/// Appends the text that lies in `range` of `bytes` as a JSON string.
///
/// What must be escaped and what is not UTF-8 is looked for in the words that are copied: almost no text has either.
#[inline(always)]
pub fn put_text(out: &mut Vec<u8>, bytes: &[u8], range: Range<usize>) -> Result<(), Malformed> {
    out.push(b'"');
    let (long, rest) = bytes.get(range.clone()).unwrap_or_default().as_chunks::<16>();
    let mut at = range.start;
    for chunk in long {
        if !is_plain(chunk) {
            return put_rest(out, bytes, range, at);
        }
        out.extend_from_slice(chunk);
        at += 16;
    }
    let (words, rest) = rest.as_chunks();
    for chunk in words {
        let word = u64::from_le_bytes(*chunk);
        if specials(word) | not_ascii(word) != 0 {
            return put_rest(out, bytes, range, at);
        }
        out.extend_from_slice(chunk);
        at += 8;
    }
    // Behind the text is the quote that ends it, and what is cut off.
    let left = rest.len();
    let in_text = low_bytes(left);
    let word = word(bytes, at) & in_text | QUOTES & !in_text;
    if specials(word) & in_text | not_ascii(word) != 0 {
        return put_rest(out, bytes, range, at);
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(out.len() - (7 - left));
    Ok(())
}

const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);

/// The rest of a text of which all before `at` is written.
#[inline(never)]
fn put_rest(out: &mut Vec<u8>, bytes: &[u8], range: Range<usize>, at: usize) -> Result<(), Malformed> {
    let rest = bytes.get(at..range.end).unwrap_or_default();
    if simdutf8::basic::from_utf8(rest).is_err() {
        return Err(Malformed { what: "text that is not UTF-8", at: range.start });
    }
    put_characters(out, rest);
    out.push(b'"');
    Ok(())
}

/// Appends text without quotes around it.
fn put_characters(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some((run, [special, tail @ ..])) = rest.split_at_checked(next_special(rest, 0)) {
        out.extend_from_slice(run);
        put_escape(out, *special);
        rest = tail;
    }
    out.extend_from_slice(rest);
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            put_hex_digits(out, &[byte]);
        }
    }
}

/// Every byte as two lower-case digits.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    table
};

fn put_hex_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|&byte| HEX[usize::from(byte)]));
}

/// Appends bytes as a string of lower-case hexadecimal digits.
pub fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    put_hex_digits(out, bytes);
    out.push(b'"');
}

/// Appends bytes as a string of base64, padded.
pub fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let text = STANDARD.encode(bytes);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends an integer.
pub fn put_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends an integer as a string, as those of 64 bits are written.
pub fn put_quoted_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.push(b'"');
    put_integer(out, value);
    out.push(b'"');
}

/// Appends a double: the shortest text that reads back as the same number, or one of three strings.
pub fn put_double(out: &mut Vec<u8>, value: f64) {
    let name: &[u8] = match value {
        _ if value.is_nan() => b"\"NaN\"",
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        _ => return out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
    };
    out.extend_from_slice(name);
}
