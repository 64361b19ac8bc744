//! Secrets out of words that others wrote: peers and token servers may repeat what they were sent (E36).

use std::borrow::Cow;

/// Stands where a secret was.
const HIDDEN: &str = "[secret]";
/// Shorter ones would take words apart and hide nothing that cannot be guessed.
const SECRET_BYTES_MIN: usize = 4;

/// The words without the secrets.
pub fn redact<'a>(words: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut words = Cow::Borrowed(words);
    for secret in secrets.into_iter().map(str::trim) {
        if secret.len() >= SECRET_BYTES_MIN && words.contains(secret) {
            words = Cow::Owned(words.replace(secret, HIDDEN));
        }
    }
    words.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e36_what_a_peer_repeats_is_hidden() {
        let words = "unknown token s3cret-token; tenant a";
        assert_eq!(redact(words, ["s3cret-token", "a", "other"]), "unknown token [secret]; tenant a");
    }
}
