//! Why a plugin refuses its config or a batch.

use std::fmt;

/// What a plugin says when it refuses its config or fails on a batch. Any [`std::error::Error`] turns into one
/// with `?`. The host shows the text to the operator, beside the stage: name the thing and the mend.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
}

impl Error {
    /// An error with that text.
    pub fn new(message: impl fmt::Display) -> Self {
        Error { message: message.to_string() }
    }

    /// An error about one key of the config: `at("rules[2].regex", problem)` reads `rules[2].regex: problem`.
    pub fn at(key: impl fmt::Display, message: impl fmt::Display) -> Self {
        Error { message: format!("{key}: {message}") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Error::new(error)
    }
}
