//! `service`, without its pipelines.

use std::num::NonZeroUsize;

use crate::config::address;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{Place, ServiceSpec};

use super::{at_least_one, memory, some_time};

/// The most shards that can be asked for.
const SHARDS_MAX: u64 = 1024;

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
        if let Some(address) = raw.telemetry.endpoint.filter(|_| first(report, &mut given, &endpoint)) {
            spec.admin_endpoint = (address != "none").then(|| address.clone());
            if let Some(Err((what, mend))) = spec.admin_endpoint.as_deref().map(address::listen) {
                report.refuse(&endpoint, what, mend);
            }
        }
    }
    spec
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
