//! How an exporter spreads its requests: over which endpoints and connections, and when an endpoint is left alone.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::TargetSpec;

/// How requests are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct SpreadSpec {
    /// All endpoints, if there is a list of them; empty: the client's one.
    pub endpoints: Vec<EndpointSpec>,
    /// Which of them is next.
    pub balance: Balance,
    /// Connections of one shard to one endpoint; gRPC only. Default 1.
    pub connections: NonZeroUsize,
    /// How often names are resolved anew; none: only when a connection is made. Default 30 s.
    pub dns_refresh: Option<Duration>,
    /// When an endpoint that fails is left alone; none: never.
    pub circuit: Option<CircuitSpec>,
}

impl Default for SpreadSpec {
    fn default() -> Self {
        SpreadSpec {
            endpoints: Vec::new(),
            balance: Balance::RoundRobin,
            connections: NonZeroUsize::MIN,
            dns_refresh: Some(Duration::from_secs(30)),
            circuit: None,
        }
    }
}

/// One of several endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSpec {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Its share, beside those of the others. Default 1.
    pub weight: NonZeroU32,
}

/// Which endpoint is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its weight says.
    Weighted,
    /// The one with the fewest requests under way, for its weight.
    LeastLoaded,
    /// The first that works, in the order of the list.
    Failover,
}

/// When an endpoint that fails is left alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitSpec {
    /// Retryable failures in a row that open the circuit. Default 5.
    pub failures: NonZeroU32,
    /// How long it is open the first time; it doubles with each probe that fails.
    pub open_for: Duration,
    /// How long it is open at most.
    pub open_max: Duration,
    /// Attempts that may be under way while it is half-open. Default 1.
    pub probes: NonZeroUsize,
}

impl TargetSpec {
    /// How its requests are spread; files and the console have nothing to spread.
    pub fn spread(&self) -> Option<&SpreadSpec> {
        match self {
            TargetSpec::OtlpGrpc(client) => Some(&client.spread),
            TargetSpec::OtlpHttp(http) => Some(&http.client.spread),
            TargetSpec::File(_) | TargetSpec::Debug(_) => None,
        }
    }

    /// The same for each endpoint alone, with its weight; never empty.
    pub fn each(&self) -> Vec<(TargetSpec, NonZeroU32)> {
        let listed = self.spread().map(|spread| spread.endpoints.as_slice()).unwrap_or_default();
        match listed {
            [] => vec![(self.clone(), NonZeroU32::MIN)],
            listed => listed.iter().map(|one| (self.at(&one.url), one.weight)).collect(),
        }
    }

    /// The URLs that it sends to, of which the first stands for it; none for files and the console.
    pub fn urls(&self) -> Vec<&str> {
        match self {
            TargetSpec::OtlpGrpc(client) => vec![client.endpoint.as_str()],
            TargetSpec::OtlpHttp(http) => {
                std::iter::once(&http.client.endpoint).chain(http.endpoints.values()).map(String::as_str).collect()
            }
            TargetSpec::File(_) | TargetSpec::Debug(_) => Vec::new(),
        }
    }

    fn at(&self, url: &str) -> TargetSpec {
        let mut target = self.clone();
        match &mut target {
            TargetSpec::OtlpGrpc(client) => url.clone_into(&mut client.endpoint),
            TargetSpec::OtlpHttp(http) => url.clone_into(&mut http.client.endpoint),
            TargetSpec::File(_) | TargetSpec::Debug(_) => {}
        }
        target
    }
}
