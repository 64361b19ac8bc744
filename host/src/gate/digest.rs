//! Secrets as digests: of one length, so that comparing them takes the same time whatever they are.

use rustls::crypto::SecureRandom;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// What a secret digests to.
pub(super) type Digest = [u8; 32];

/// Makes digests that mean nothing outside this process: the key is drawn anew with every set of credentials.
pub(super) struct Digester {
    key: Digest,
}

impl Digester {
    /// None: the system has no randomness.
    pub fn new() -> Option<Digester> {
        let random: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
        let mut key = [0; 32];
        random.fill(&mut key).ok()?;
        Some(Digester { key })
    }

    /// The digest of several parts: each goes in with its length, so that they cannot run into each other.
    pub fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// A set of secrets.
pub(super) struct Secrets {
    digests: Vec<Digest>,
}

impl Secrets {
    pub fn new<'a>(digester: &Digester, secrets: impl IntoIterator<Item = &'a str>) -> Secrets {
        Secrets { digests: secrets.into_iter().map(|secret| digester.digest(&[secret.as_bytes()])).collect() }
    }

    /// Whether one of them was shown. Looks at all of them, and at every byte of each.
    pub fn contain(&self, digester: &Digester, shown: &[u8]) -> bool {
        let shown = digester.digest(&[shown]);
        let found = self.digests.iter().fold(Choice::from(0), |found, digest| found | digest.ct_eq(&shown));
        found.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f18_a_secret_is_known_by_all_of_its_bytes() {
        let digester = Digester::new().unwrap();
        let secrets = Secrets::new(&digester, ["alpha", "beta"]);
        assert!(secrets.contain(&digester, b"alpha") && secrets.contain(&digester, b"beta"));
        for other in [&b""[..], b"alph", b"alphaa", b"ALPHA", b"alphabeta", b"\0alpha"] {
            assert!(!secrets.contain(&digester, other), "{other:?}");
        }
        assert!(!Secrets::new(&digester, []).contain(&digester, b""));
    }

    #[test]
    fn parts_do_not_run_into_each_other_and_keys_differ() {
        let (one, other) = (Digester::new().unwrap(), Digester::new().unwrap());
        assert_ne!(one.digest(&[b"a", b"bc"]), one.digest(&[b"ab", b"c"]));
        assert_ne!(one.digest(&[b"a"]), other.digest(&[b"a"]));
    }
}
