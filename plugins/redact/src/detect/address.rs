//! IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{next, run, word_ends, word_starts};

/// Finds IPv4 addresses: four numbers up to 255, with dots between them. A version of four numbers is one too.
pub fn ipv4(text: &str, found: &mut Vec<Range<usize>>) {
    let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    candidates(text, is_part, |at, candidate| {
        if candidate.parse::<Ipv4Addr>().is_ok() {
            found.push(at..at + candidate.len());
        }
    });
}

/// Finds IPv6 addresses, all ways in which they are written (RFC 4291, section 2.2). One without a single digit is not
/// looked for: `dead::beef` is a path of some programming languages.
pub fn ipv6(text: &str, found: &mut Vec<Range<usize>>) {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    candidates(text, is_part, |at, candidate| {
        let digits = candidate.bytes().any(|byte| byte.is_ascii_digit());
        if digits && candidate.parse::<Ipv6Addr>().is_ok() {
            found.push(at..at + candidate.len());
        }
    });
}

/// The longest IPv6 address: with an IPv4 address at its end.
const LENGTH_MAX: usize = 45;

/// Runs of bytes that addresses are made of, between words, without the punctuation behind them.
fn candidates(text: &str, is_part: impl Fn(u8) -> bool + Copy, mut found: impl FnMut(usize, &str)) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = next(bytes, from, is_part) {
        let length = run(bytes, at, is_part);
        let candidate = text.get(at..at + length).unwrap_or_default();
        // One dot or colon behind an address is a sentence's; two colons are part of it.
        let candidate = match candidate.strip_suffix(':') {
            Some(rest) if !rest.ends_with(':') => rest,
            _ => candidate.trim_end_matches('.'),
        };
        let whole = word_starts(bytes, at) && word_ends(bytes, at + length);
        if whole && (2..=LENGTH_MAX).contains(&candidate.len()) {
            found(at, candidate);
        }
        from = at + length;
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn addresses_are_found_as_they_are_written() {
        assert_eq!(all(ipv4, "from 10.0.0.1:8080 to 192.168.1.255."), ["10.0.0.1", "192.168.1.255"]);
        for text in ["1.2.3", "256.1.1.1", "1.2.3.4.5", "v1.2.3.4", "1.2.3.4a"] {
            assert_eq!(all(ipv4, text), [""; 0], "{text}");
        }
        assert_eq!(all(ipv6, "[2001:db8::1]:443, ::1: fe80::1%eth0."), ["2001:db8::1", "::1", "fe80::1"]);
        assert_eq!(all(ipv6, "::ffff:10.0.0.1"), ["::ffff:10.0.0.1"]);
        assert_eq!(all(ipv6, "2001:0db8:85a3:0000:0000:8a2e:0370:7334"), ["2001:0db8:85a3:0000:0000:8a2e:0370:7334"]);
        for text in ["12:34:56", "00:1b:44:11:3a:b7", "std::fmt::Add1", "dead::beef", "a:1"] {
            assert_eq!(all(ipv6, text), [""; 0], "{text}");
        }
    }
}
