//! Why a request is not let in, in words that help who should be, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It carries no credential.
    Missing,
    /// It carries something that is no credential of a kind that is asked for, or several.
    Malformed,
    /// Its credential is not known.
    Unknown,
    /// So many passwords wait to be checked that this one was not.
    Busy,
}

impl Denial {
    pub(super) const ALL: [Denial; 4] = [Denial::Missing, Denial::Malformed, Denial::Unknown, Denial::Busy];

    /// As a label.
    pub fn reason(self) -> &'static str {
        match self {
            Denial::Missing => "missing",
            Denial::Malformed => "malformed",
            Denial::Unknown => "unknown",
            Denial::Busy => "busy",
        }
    }

    /// For the client and the log.
    pub fn message(self) -> &'static str {
        match self {
            Denial::Missing => "a credential is needed here, and the request has none",
            Denial::Malformed => "the request's credential is not of a kind that is accepted here",
            Denial::Unknown => "the request's credential is not known here",
            Denial::Busy => "too many passwords are being checked",
        }
    }
}

/// A request that is not let in, and what to tell its client.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Why.
    pub denial: Denial,
    /// What would be accepted: the values of `WWW-Authenticate` (RFC 9110, 11.6.1).
    pub challenges: Arc<[HeaderValue]>,
}

impl Denied {
    /// After which time to come again, where the credential may be right.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.denial == Denial::Busy).then_some(Duration::from_secs(1))
    }
}
