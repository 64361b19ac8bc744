//! E-mail addresses.

use std::ops::Range;

use super::run;

/// Finds e-mail addresses: `name@host.domain`, also as a URL writes them, `name%40host.domain`.
pub fn emails(text: &str, found: &mut Vec<Range<usize>>) {
    let text = text.as_bytes();
    let mut from = 0;
    for at in memchr::memchr2_iter(b'@', b'%', text) {
        let host = match text.get(at..) {
            Some([b'@', ..]) => at + 1,
            Some([b'%', b'4', b'0', ..]) => at + 3,
            _ => continue,
        };
        let Some(before) = text.get(from..at) else { continue };
        let name = before.iter().rev().take_while(|&&byte| is_name(byte)).count();
        // A name may hold an apostrophe, but one in front opens a quotation: as in SQL.
        let quotes = before.iter().skip(before.len() - name).take_while(|&&byte| byte == b'\'').count();
        let name = name - quotes;
        let length = domain(text, host);
        if name > 0 && length > 0 {
            found.push(at - name..host + length);
            from = host + length;
        }
    }
}

/// Characters of the part before the `@` that are in use. A `%` is not: it would be an escape of a URL.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-'".contains(&byte) || !byte.is_ascii()
}

/// How long the domain at `at` is; 0 if there is none with a dot in it and letters behind that.
fn domain(text: &[u8], at: usize) -> usize {
    let length = run(text, at, |byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-' || !byte.is_ascii());
    let domain = text.get(at..at + length).unwrap_or_default();
    // A full stop or a dash behind an address is not of it.
    let length = domain.iter().rposition(|&byte| byte != b'.' && byte != b'-').map_or(0, |last| last + 1);
    let domain = domain.get(..length).unwrap_or_default();
    let Some(dot) = domain.iter().rposition(|&byte| byte == b'.') else {
        return 0;
    };
    let top = domain.get(dot + 1..).unwrap_or_default();
    let named = dot > 0 && top.len() >= 2 && top.iter().all(|byte| !byte.is_ascii_digit());
    if named { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn addresses_are_found_in_prose_and_in_urls() {
        assert_eq!(all(emails, "mail ann.b+x@mail.example.com."), ["ann.b+x@mail.example.com"]);
        assert_eq!(all(emails, "/u?email=a%40b.org&x=1%25"), ["a%40b.org"]);
        assert_eq!(all(emails, "<a@b.co>,c@d.de"), ["a@b.co", "c@d.de"]);
        assert_eq!(all(emails, "values ('o'hara@b.ie', 1)"), ["o'hara@b.ie"]);
        assert_eq!(all(emails, "jörg@müller.de"), ["jörg@müller.de"]);
        for text in ["user@localhost", "@b.com", "a@.com", "a@b.1", "postgres://u:p@10.0.0.1/db", "50%40.x"] {
            assert_eq!(all(emails, text), [""; 0], "{text}");
        }
    }
}
