//! Writing the scalars of JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends a JSON string; `text` must be UTF-8.
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (run, tail) = rest.split_at(at);
        out.extend_from_slice(run);
        if let Some((&special, tail)) = tail.split_first() {
            put_escape(out, special);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
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

fn put_hex_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
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
