//! Admission: what a listener takes on at a time, how long clients may take, and how often they may come.

use std::num::NonZeroU32;
use std::time::Duration;

/// What a listener takes on at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionSpec {
    /// Bytes of requests between their arrival and their answer, as they came and as decompressed; none: only the
    /// memory limiter bounds them. Default none.
    pub max_in_flight_bytes: Option<usize>,
    /// Connections; more wait to be accepted. Default 8192.
    pub max_connections: usize,
    /// Bytes of a request's headers, as HTTP/2 counts them. Default 32 KiB.
    pub max_header_bytes: u32,
    /// Streams of a connection that the client reset before they were looked at (rapid reset, CVE-2023-44487); with
    /// more the connection is ended. Default 64.
    pub max_pending_resets: usize,
}

impl Default for AdmissionSpec {
    fn default() -> Self {
        AdmissionSpec {
            max_in_flight_bytes: None,
            max_connections: 8192,
            max_header_bytes: 32 << 10,
            max_pending_resets: 64,
        }
    }
}

/// How long clients may take; slower ones are answered with a timeout, or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutsSpec {
    /// From the accepted connection to its first 24 bytes (the HTTP/2 preface, or nearly any HTTP/1.1 request), and
    /// on HTTP/1.1 from one answer to the complete head of the next request. Default 60 s, as the collector has it.
    pub head: Duration,
    /// For a request's body, and one second more for each 64 KiB that have come. Default 30 s.
    pub body: Duration,
    /// For the rest of the body of a request that is refused already: so that the connection survives. Default 2 s.
    pub rest: Duration,
    /// Between HTTP/2 keep-alive pings. Default 60 s.
    pub keep_alive_interval: Duration,
    /// For the answer to one. Default 20 s.
    pub keep_alive: Duration,
}

impl Default for TimeoutsSpec {
    fn default() -> Self {
        let secs = Duration::from_secs;
        TimeoutsSpec {
            head: secs(60),
            body: secs(30),
            rest: secs(2),
            keep_alive_interval: secs(60),
            keep_alive: secs(20),
        }
    }
}

/// How often each client may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitSpec {
    /// Requests a second, and how many may come at once.
    pub requests: Option<Rate>,
    /// Records a second, and how many may come at once.
    pub records: Option<Rate>,
    /// Who a client is.
    pub by: RateKey,
}

/// A rate, as a bucket that fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What comes into the bucket each second.
    pub per_second: NonZeroU32,
    /// What the bucket holds.
    pub burst: NonZeroU32,
}

/// What tells one client from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateKey {
    /// Its address; of IPv6, the network of 64 bits.
    Peer,
    /// A header of the request, in lower case. Requests without it are one client.
    Header(String),
}
