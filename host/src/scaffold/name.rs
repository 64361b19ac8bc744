//! What a plugin may be called.

use std::fmt;
use std::str::FromStr;

/// Bytes of a name at most.
const BYTES_MAX: usize = 64;

/// Names that cargo or the compiler would refuse, or that the crate's dependency has: keywords of edition 2024,
/// crates of the toolchain, the SDK.
const TAKEN: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
                     false final fn for gen if impl in let loop macro match mod move mut override priv proc-macro pub \
                     ref return self sluicebox-plugin static std struct super test trait true try type typeof unsafe \
                     unsized use virtual where while yield";

/// A name that a crate, a plugin and a stage can have: `drop-probes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It has other characters, or at another place.
    #[error(
        "a name has lower-case letters, digits and single `-` between them, and begins with a letter: `drop-probes`"
    )]
    Form,
    /// It is too long.
    #[error("a name has at most {BYTES_MAX} characters")]
    Long,
    /// It means something else to Rust.
    #[error("`{0}` is a word of Rust, or the name of one of its crates: choose another")]
    Taken(String),
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Name, BadName> {
        if name.len() > BYTES_MAX {
            return Err(BadName::Long);
        }
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.split('-').all(is_word) {
            return Err(BadName::Form);
        }
        if TAKEN.split_whitespace().any(|taken| taken == name) {
            return Err(BadName::Taken(name.to_owned()));
        }
        Ok(Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_takes_are_taken() {
        for name in ["a", "drop-probes", "x2", "drop"] {
            assert_eq!(name.parse::<Name>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", "Drop", "2x", "a--b", "-a", "a-", "a_b", "../a", "a b", "é", "a.wasm"] {
            assert_eq!(name.parse::<Name>(), Err(BadName::Form), "{name:?}");
        }
        assert_eq!("match".parse::<Name>(), Err(BadName::Taken("match".to_owned())));
        assert_eq!("a".repeat(65).parse::<Name>(), Err(BadName::Long));
    }
}
