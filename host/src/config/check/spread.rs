//! How an exporter spreads its requests over endpoints.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::config::address;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{Balance, CircuitSpec, EndpointSpec, SpreadSpec};
use crate::config::value::Time;

use super::{at_least_one, some_time};

/// Endpoints of one exporter: each has clients and a circuit of its own.
const ENDPOINTS_MAX: usize = 256;
/// Connections of one shard to one endpoint.
const CONNECTIONS_MAX: u64 = 64;

/// What both clients have, as typed.
pub(super) struct Spread<'a> {
    /// `endpoint`, which excludes `endpoints`.
    pub endpoint: Option<&'a String>,
    pub endpoints: Option<&'a [raw::Endpoint]>,
    pub balance: Option<raw::Balance>,
    pub connections: Option<u64>,
    pub dns_refresh: Option<Time>,
    pub circuit: &'a raw::CircuitBreaker,
}

impl Spread<'_> {
    /// Reads it. `assumed` is the scheme of an address without one; `retry` gives the times that were not typed.
    pub fn spec(&self, report: &mut Report, spot: &Spot, assumed: Option<&str>, retry: &raw::Retry) -> SpreadSpec {
        let defaults = SpreadSpec::default();
        let connections = self.connections.map(|typed| {
            let at = spot.key("connections");
            if typed > CONNECTIONS_MAX {
                report.refuse(&at, format!("more than {CONNECTIONS_MAX} connections of one shard"), None);
            }
            at_least_one(report, &at, typed)
        });
        SpreadSpec {
            endpoints: self.endpoints(report, spot, assumed),
            balance: match self.balance.unwrap_or_default() {
                raw::Balance::RoundRobin => Balance::RoundRobin,
                raw::Balance::Weighted => Balance::Weighted,
                raw::Balance::LeastLoaded => Balance::LeastLoaded,
                raw::Balance::Failover => Balance::Failover,
            },
            connections: connections.and_then(NonZeroUsize::new).unwrap_or(defaults.connections),
            dns_refresh: match self.dns_refresh {
                Some(typed) => Some(typed.0).filter(|time| !time.is_zero()),
                None => defaults.dns_refresh,
            },
            circuit: circuit(report, &spot.key("circuit_breaker"), self.circuit, retry),
        }
    }

    fn endpoints(&self, report: &mut Report, spot: &Spot, assumed: Option<&str>) -> Vec<EndpointSpec> {
        let Some(typed) = self.endpoints else { return Vec::new() };
        let at = spot.key("endpoints");
        if self.endpoint.is_some() {
            let mend = Some("put it into the list of `endpoints`".to_owned());
            report.refuse_key(&spot.key("endpoint"), "`endpoint` and `endpoints` exclude each other", mend);
        }
        if typed.is_empty() {
            report.refuse(&at, "the list is empty", Some("name at least one endpoint".to_owned()));
        }
        if typed.len() > ENDPOINTS_MAX {
            report.refuse(&at, format!("more than {ENDPOINTS_MAX} endpoints"), None);
        }
        let mut endpoints: Vec<EndpointSpec> = Vec::with_capacity(typed.len());
        for (index, raw) in typed.iter().enumerate() {
            let at = at.item(index);
            let endpoint = self.endpoint_of(report, &at, raw, assumed);
            if endpoints.iter().any(|earlier| earlier.url == endpoint.url) {
                report.refuse(&at, format!("`{}` is named twice", endpoint.url), Some("remove one".to_owned()));
            }
            let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
            if endpoints.first().is_some_and(|first| scheme(&first.url) != scheme(&endpoint.url)) {
                let mend = Some("use `http://` for all of them, or `https://`".to_owned());
                report.refuse(&at, "some endpoints have TLS and some have not", mend);
            }
            endpoints.push(endpoint);
        }
        endpoints
    }

    fn endpoint_of(&self, report: &mut Report, at: &Spot, raw: &raw::Endpoint, assumed: Option<&str>) -> EndpointSpec {
        let in_mapping = matches!(raw, raw::Endpoint::Weighed(_));
        let raw::WeighedEndpoint { endpoint, weight } = raw.weighed();
        let url_at = if in_mapping { at.key("endpoint") } else { at.clone() };
        let url = address::url(&endpoint, assumed).unwrap_or_else(|(what, mend)| {
            report.refuse(&url_at, what, mend);
            endpoint
        });
        let uses_weights = matches!(self.balance, Some(raw::Balance::Weighted | raw::Balance::LeastLoaded));
        if weight != 1 && !uses_weights {
            let mend = Some("add `balance: weighted` or `balance: least_loaded`".to_owned());
            report.warn(&at.key("weight"), "this weight counts for nothing", mend);
        }
        at_least_one(report, &at.key("weight"), weight.into());
        EndpointSpec { url, weight: NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN) }
    }
}

/// The first wait of the retries is the first time that the circuit is open, and so on: whoever is content with quick
/// retries is with quick probes.
fn circuit(report: &mut Report, spot: &Spot, raw: &raw::CircuitBreaker, retry: &raw::Retry) -> Option<CircuitSpec> {
    let mut time = |key: &str, typed: Option<Time>, default: Time| match typed {
        Some(typed) => some_time(report, &spot.key(key), typed),
        None => default.0.max(Duration::from_millis(1)),
    };
    let open_for = time("open_for", raw.open_for, retry.initial_interval);
    let open_max = time("open_max", raw.open_max, retry.max_interval);
    if open_max < open_for && raw.open_max.is_some() {
        let what = format!("`open_max` is less than `open_for`, {}", Time(open_for));
        report.refuse(&spot.key("open_max"), what, Some("raise it, or lower `open_for`".to_owned()));
    }
    let failures = at_least_one(report, &spot.key("failures"), raw.failures.into());
    let probes = at_least_one(report, &spot.key("probes"), raw.probes.into());
    raw.enabled.then(|| CircuitSpec {
        failures: u32::try_from(failures).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
        open_for,
        open_max: open_max.max(open_for),
        probes: NonZeroUsize::new(probes).unwrap_or(NonZeroUsize::MIN),
    })
}
