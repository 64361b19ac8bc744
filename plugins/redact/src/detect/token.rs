//! Tokens.

use std::ops::Range;

use super::{run, word_starts};

/// Shorter is not worth stealing, and a word of prose: "the bearer of".
const LENGTH_MIN: usize = 8;

/// Finds what follows the word `Bearer` (RFC 6750, section 2.1), and JSON Web Tokens wherever they are (RFC 7519).
pub fn tokens(text: &str, found: &mut Vec<Range<usize>>) {
    let text = text.as_bytes();
    bearer(text, found);
    jwt(text, found);
}

fn bearer(text: &[u8], found: &mut Vec<Range<usize>>) {
    const SCHEME: &[u8] = b"bearer";
    for space in memchr::memchr_iter(b' ', text) {
        let scheme = space.checked_sub(SCHEME.len());
        let named = scheme.is_some_and(|start| {
            word_starts(text, start) && text.get(start..space).is_some_and(|word| word.eq_ignore_ascii_case(SCHEME))
        });
        if named {
            let start = space + run(text, space, |byte| byte == b' ');
            let length = run(text, start, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
            if length >= LENGTH_MIN {
                found.push(start..start + length);
            }
        }
    }
}

/// `{"` in base64url, as every header begins; then three parts with dots between them.
fn jwt(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut end = 0;
    // The J is the rarest of its letters.
    for third in memchr::memchr_iter(b'J', text) {
        let Some(start) = third.checked_sub(2) else { continue };
        let begins = text.get(start..third) == Some(b"ey") && word_starts(text, start);
        if start < end || !begins {
            continue;
        }
        let length = run(text, start, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let token = text.get(start..start + length).unwrap_or_default();
        let token = token.strip_suffix(b".").unwrap_or(token);
        if token.iter().filter(|&&byte| byte == b'.').count() >= 2 {
            end = start + token.len();
            found.push(start..end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn tokens_are_found_behind_bearer_and_by_their_shape() {
        assert_eq!(all(tokens, "Authorization: Bearer  abc.DEF-123_~+/=="), ["abc.DEF-123_~+/=="]);
        assert_eq!(all(tokens, "BEARER 0123456789, x"), ["0123456789"]);
        assert_eq!(all(tokens, "got eyJhbGciOi.eyJzdWIi.c2ln."), ["eyJhbGciOi.eyJzdWIi.c2ln"]);
        for text in ["the bearer of news", "forbearer 0123456789", "eyJust.text", "bearer"] {
            assert_eq!(all(tokens, text), [""; 0], "{text}");
        }
    }
}
