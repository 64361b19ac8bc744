//! How requests are spread over endpoints, as it is typed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::value::Time;

/// One of several endpoints: a URL, or `{endpoint: URL, weight: 3}`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Endpoint {
    /// Only its URL.
    Url(String),
    /// With a weight.
    Weighed(WeighedEndpoint),
}

/// An endpoint and its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct WeighedEndpoint {
    /// `http://host:port` or `https://host:port`. Required.
    pub endpoint: String,
    /// Its share of the requests, beside those of the others.
    pub weight: u32,
}

impl Default for WeighedEndpoint {
    fn default() -> Self {
        WeighedEndpoint { endpoint: String::new(), weight: 1 }
    }
}

impl Endpoint {
    /// As a mapping would say it.
    pub fn weighed(&self) -> WeighedEndpoint {
        match self {
            Endpoint::Url(url) => WeighedEndpoint { endpoint: url.clone(), ..WeighedEndpoint::default() },
            Endpoint::Weighed(weighed) => weighed.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Endpoint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a mapping with `endpoint` and `weight`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint, E> {
                Ok(Endpoint::Url(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
                WeighedEndpoint::deserialize(MapAccessDeserializer::new(map)).map(Endpoint::Weighed)
            }
        }

        from.deserialize_any(Either)
    }
}

/// Which endpoint is next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Each in turn, as often as its weight says.
    Weighted,
    /// The one with the fewest requests under way, for its weight.
    LeastLoaded,
    /// The first that works, in the order of the list.
    Failover,
}

/// When an endpoint that fails is left alone for a while.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct CircuitBreaker {
    /// Whether it ever is.
    pub enabled: bool,
    /// Failures in a row, of those that may pass, that open the circuit.
    pub failures: u32,
    /// How long it is open the first time. Default: `retry_on_failure.initial_interval`.
    pub open_for: Option<Time>,
    /// How long it is open at most: the time doubles with each probe that fails. Default:
    /// `retry_on_failure.max_interval`.
    pub open_max: Option<Time>,
    /// Attempts that may be under way to find out whether the endpoint is back.
    pub probes: u32,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        CircuitBreaker { enabled: true, failures: 5, open_for: None, open_max: None, probes: 1 }
    }
}
