//! `service`, without its pipelines.

use std::num::NonZeroUsize;

use crate::config::address;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{Place, ServiceSpec};

use super::audit::audit;
use super::security::{security, warn_of_open};
use super::{at_least_one, memory, some_time};

/// The most shards that can be asked for.
const SHARDS_MAX: u64 = 1024;

/// The end of the way to the admin endpoint's address.
const ENDPOINT: [&str; 2] = ["telemetry", "endpoint"];

/// Reads `service` of every file; a key that two files give is refused.
pub(super) fn service(report: &mut Report) -> ServiceSpec {
    let mut spec = ServiceSpec::default();
    let mut given: Vec<Spot> = Vec::new();
    for file in 0..report.documents.len() {
        let spot = Spot::top(file).key("service");
        let Some(raw) = report.read::<raw::Service>(&spot) else { continue };
        let [shards, timeout] = ["shards", "shutdown_timeout"].map(|key| spot.key(key));
        let endpoint = spot.key("telemetry").key("endpoint");
        if let Some(count) = raw.shards.filter(|_| first(report, &mut given, &shards)) {
            if count > SHARDS_MAX {
                report.refuse(
                    &shards,
                    format!("more than {SHARDS_MAX} shards"),
                    Some("leave it out: one a core".to_owned()),
                );
            }
            spec.shards = NonZeroUsize::new(at_least_one(report, &shards, count)).unwrap_or(NonZeroUsize::MIN);
        }
        if let Some(time) = raw.shutdown_timeout.filter(|_| first(report, &mut given, &timeout)) {
            spec.shutdown_timeout = some_time(report, &timeout, time);
        }
        let limiter = spot.key("memory_limiter");
        if let Some(raw) = raw.memory_limiter.filter(|_| first(report, &mut given, &limiter)) {
            spec.memory_limiter = memory::limiter(report, &limiter, &raw);
        }
        guard(report, &mut given, &spot.key("telemetry"), &raw.telemetry, &mut spec);
        if let Some(address) = raw.telemetry.endpoint.filter(|_| first(report, &mut given, &endpoint)) {
            spec.admin_endpoint = (address != "none").then(|| address.clone());
            if let Some(Err((what, mend))) = spec.admin_endpoint.as_deref().map(address::listen) {
                report.refuse(&endpoint, what, mend);
            }
        }
        let at = spot.key("telemetry").key("audit");
        if let Some(raw) = raw.telemetry.audit.filter(|_| first(report, &mut given, &at)) {
            spec.audit = audit(report, &at, raw);
        }
    }
    if let (Some(endpoint), Some(at)) =
        (&spec.admin_endpoint, given.iter().find(|spot| spot.path.iter().skip(1).eq(ENDPOINT.iter())))
    {
        let telemetry = Spot { file: at.file, path: at.path.iter().take(2).cloned().collect() };
        warn_of_open(report, &telemetry, endpoint, &spec.admin_security);
    }
    spec
}

/// Reads what the admin endpoint asks for: `tls` and `auth`, each from one file.
fn guard(report: &mut Report, given: &mut Vec<Spot>, spot: &Spot, raw: &raw::Telemetry, spec: &mut ServiceSpec) {
    let tls = raw.tls.as_ref().filter(|_| first(report, given, &spot.key("tls")));
    let auth = raw.auth.as_ref().filter(|_| first(report, given, &spot.key("auth")));
    let read = security(report, spot, tls, auth);
    spec.admin_security.tls = read.tls.or(spec.admin_security.tls.take());
    spec.admin_security.auth = read.auth.or(spec.admin_security.auth.take());
}

/// Whether no earlier file gave this key.
fn first(report: &mut Report, given: &mut Vec<Spot>, spot: &Spot) -> bool {
    let Some(earlier) = given.iter().find(|g| g.path == spot.path) else {
        given.push(spot.clone());
        return true;
    };
    let Place { file, line, column } = report.place_of_key(earlier);
    let what = format!("`{}` is also given in {}:{line}:{column}", spot.path.join("."), file.display());
    report.refuse_key(spot, what, Some("it holds for the whole run: give it in one file".to_owned()));
    false
}
