//! Tools to size an installation with: a generator of load, and a sink that counts what arrives.
//!
//! ```text
//!  load: Magazine (encoded beforehand) ─► Pace ─► workers ─► Target ─► … the system under test … ─► sink: counts
//! ```
//!
//! Both cost as little as they can, so that what is measured is the system between them: the generator encodes,
//! frames and compresses its requests before it begins, the sink reads the bytes and steps over the records. Both are
//! bounded: so many connections, so many requests in flight, so much memory for encoded requests.

pub mod load;
pub mod magazine;
pub mod report;
pub mod requests;
pub mod sink;

use std::fmt;

/// What a request is answered with, where that is no success; what it is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A status of gRPC.
    Grpc(i32),
    /// A status of HTTP.
    Http(u16),
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Connection,
}

impl Code {
    /// Whether the answer asks the client to come again: overload, not a failure.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Code::Grpc(8 | 14) | Code::Http(429 | 502..=504))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Grpc(code) => f.write_str(grpc_name(*code)),
            Code::Http(status) => write!(f, "HTTP {status}"),
            Code::Timeout => f.write_str("timeout"),
            Code::Connection => f.write_str("connection"),
        }
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The names of gRPC's codes, as its documentation writes them.
const GRPC_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn grpc_name(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| GRPC_NAMES.get(code)).copied().unwrap_or("UNKNOWN")
}

/// The number of the gRPC code of a name.
fn grpc_number(name: &str) -> Option<i32> {
    let at = GRPC_NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    i32::try_from(at).ok()
}

/// Whether the `n`th (from 0) of many is among a share of them, spread as evenly as can be: of the first `n`, exactly
/// ⌊n · share⌋ are.
pub(crate) fn is_of_share(n: u64, share: f64) -> bool {
    let before = |n: u64| (n as f64 * share).floor() as u64;
    before(n + 1) > before(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_and_spread() {
        let chosen: Vec<u64> = (0..100).filter(|&n| is_of_share(n, 0.3)).collect();
        assert_eq!(chosen.len(), 30);
        assert!(chosen.windows(2).all(|pair| pair[1] - pair[0] <= 4), "{chosen:?}");
        assert_eq!((0..50).filter(|&n| is_of_share(n, 0.0)).count(), 0);
        assert_eq!((0..50).filter(|&n| is_of_share(n, 1.0)).count(), 50);
    }

    #[test]
    fn refusals_are_told_from_failures() {
        let refusals = [Code::Grpc(14), Code::Grpc(8), Code::Http(503), Code::Http(429)];
        assert!(refusals.into_iter().all(Code::is_refusal));
        let failures = [Code::Grpc(3), Code::Http(400), Code::Http(500), Code::Timeout, Code::Connection];
        assert!(!failures.into_iter().any(Code::is_refusal));
        assert_eq!(
            (Code::Grpc(14).to_string(), Code::Http(503).to_string()),
            ("UNAVAILABLE".into(), "HTTP 503".into())
        );
        assert_eq!(grpc_number("resource_exhausted"), Some(8));
    }
}
