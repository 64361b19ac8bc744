//! Admission, patience and rates of a listener.

use std::num::NonZeroU32;

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{AdmissionSpec, Rate, RateKey, RateLimitSpec, TimeoutsSpec};

use super::{at_least_one, some_bytes, some_time};

/// Reads `admission`.
pub(super) fn admission(report: &mut Report, spot: &Spot, raw: &raw::Admission) -> AdmissionSpec {
    let in_flight = raw.max_in_flight_bytes.map(|size| some_bytes(report, &spot.key("max_in_flight_bytes"), size));
    let headers = some_bytes(report, &spot.key("max_header_bytes"), raw.max_header_bytes);
    AdmissionSpec {
        max_in_flight_bytes: in_flight,
        max_connections: at_least_one(report, &spot.key("max_connections"), raw.max_connections),
        max_header_bytes: u32::try_from(headers).unwrap_or(u32::MAX),
        max_pending_resets: at_least_one(report, &spot.key("max_pending_resets"), raw.max_pending_resets),
    }
}

/// Reads `timeouts`.
pub(super) fn timeouts(report: &mut Report, spot: &Spot, raw: &raw::Timeouts) -> TimeoutsSpec {
    let mut time = |key, time| some_time(report, &spot.key(key), time);
    TimeoutsSpec {
        head: time("head", raw.head),
        body: time("body", raw.body),
        rest: time("rest", raw.rest),
        keep_alive_interval: time("keep_alive_interval", raw.keep_alive_interval),
        keep_alive: time("keep_alive", raw.keep_alive),
    }
}

/// Reads `rate_limit`.
pub(super) fn rate_limit(report: &mut Report, spot: &Spot, raw: raw::RateLimit) -> RateLimitSpec {
    let requests = rate(report, spot, ("requests_per_second", raw.requests_per_second), ("burst", raw.burst));
    let records =
        rate(report, spot, ("records_per_second", raw.records_per_second), ("records_burst", raw.records_burst));
    if raw.requests_per_second.is_none() && raw.records_per_second.is_none() {
        let mend = "give `requests_per_second`, `records_per_second` or both, or leave out `rate_limit`";
        report.refuse(spot, "the rate limit limits nothing", Some(mend.to_owned()));
    }
    let by = match raw.by_header {
        None => RateKey::Peer,
        Some(name) => {
            if name.parse::<http::HeaderName>().is_err() {
                report.refuse(&spot.key("by_header"), "this is not the name of a header", None);
            }
            RateKey::Header(name.to_lowercase())
        }
    };
    RateLimitSpec { requests, records, by }
}

/// A rate and its burst, which is one second of it unless it is given.
fn rate(
    report: &mut Report,
    spot: &Spot,
    (key, per_second): (&str, Option<u64>),
    (burst_key, burst): (&str, Option<u64>),
) -> Option<Rate> {
    if per_second.is_none() && burst.is_some() {
        report.refuse(&spot.key(burst_key), format!("there is no `{key}`"), Some(format!("give `{key}` too")));
    }
    let per_second = number(report, &spot.key(key), per_second?);
    let burst = burst.map_or(per_second, |burst| number(report, &spot.key(burst_key), burst));
    Some(Rate { per_second, burst })
}

fn number(report: &mut Report, spot: &Spot, number: u64) -> NonZeroU32 {
    if number > u64::from(u32::MAX) {
        report.refuse(spot, format!("the number must be at most {}", u32::MAX), None);
    }
    let number = at_least_one(report, spot, number);
    u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}
