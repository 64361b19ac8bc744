//! Admission, patience and rates of a listener, as they are typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::spec;
use crate::config::value::{Size, Time};

/// What a listener takes on at a time.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Admission {
    /// Size of all requests between their arrival and their answer, as they came and as decompressed. Left out: only
    /// `service.memory_limiter` bounds it.
    pub max_in_flight_bytes: Option<Size>,
    /// Connections; more wait to be accepted.
    pub max_connections: u64,
    /// Size of a request's headers, as HTTP/2 counts it.
    pub max_header_bytes: Size,
    /// Streams of one connection that the client reset before they were looked at; with more it is ended.
    pub max_pending_resets: u64,
}

impl Default for Admission {
    fn default() -> Self {
        let admission = spec::AdmissionSpec::default();
        Admission {
            max_in_flight_bytes: None,
            max_connections: admission.max_connections as u64,
            max_header_bytes: Size(u64::from(admission.max_header_bytes)),
            max_pending_resets: admission.max_pending_resets as u64,
        }
    }
}

/// How long clients may take.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Timeouts {
    /// For the beginning of a connection, and on HTTP/1.1 for each further head of a request.
    pub head: Time,
    /// For a request's body, and one second more for each 64 KiB that have come.
    pub body: Time,
    /// For the rest of the body of a request that is refused, so that the connection survives.
    pub rest: Time,
    /// Between two keep-alive pings, over HTTP/2.
    pub keep_alive_interval: Time,
    /// For the answer to a keep-alive ping.
    pub keep_alive: Time,
}

impl Default for Timeouts {
    fn default() -> Self {
        let timeouts = spec::TimeoutsSpec::default();
        Timeouts {
            head: Time(timeouts.head),
            body: Time(timeouts.body),
            rest: Time(timeouts.rest),
            keep_alive_interval: Time(timeouts.keep_alive_interval),
            keep_alive: Time(timeouts.keep_alive),
        }
    }
}

/// How often each client may come.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct RateLimit {
    /// Requests a second.
    pub requests_per_second: Option<u64>,
    /// Requests that may come at once. Left out: those of one second.
    pub burst: Option<u64>,
    /// Records a second.
    pub records_per_second: Option<u64>,
    /// Records that may come at once. Left out: those of one second.
    pub records_burst: Option<u64>,
    /// The header that tells one client from another, such as `x-tenant`. Left out: its address.
    pub by_header: Option<String>,
}
