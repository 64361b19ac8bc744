//! The memory limiter.

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{MemoryLimiterSpec, MemoryShare};

use super::{at_least_one, some_time};

/// The default limit, in percent.
const LIMIT_PERCENT: u8 = 75;

/// Reads `memory_limiter`.
pub(super) fn limiter(report: &mut Report, spot: &Spot, raw: &raw::MemoryLimiter) -> MemoryLimiterSpec {
    let limit = share(report, spot, ["limit_mib", "limit_percentage"], [raw.limit_mib, raw.limit_percentage]);
    let keys = ["spike_limit_mib", "spike_limit_percentage"];
    let spike = share(report, spot, keys, [raw.spike_limit_mib, raw.spike_limit_percentage]);
    let limit = limit.unwrap_or(MemoryShare::Percent(LIMIT_PERCENT));
    let (key, below) = match (limit, spike) {
        (MemoryShare::Bytes(limit), Some(MemoryShare::Bytes(spike))) => (keys[0], spike < limit),
        (MemoryShare::Percent(limit), Some(MemoryShare::Percent(spike))) => (keys[1], spike < limit),
        (MemoryShare::Bytes(_), Some(MemoryShare::Percent(_))) => {
            refuse_mix(report, &spot.key(keys[1]), keys[0]);
            (keys[1], true)
        }
        (MemoryShare::Percent(_), Some(MemoryShare::Bytes(_))) => {
            refuse_mix(report, &spot.key(keys[0]), keys[1]);
            (keys[0], true)
        }
        (_, None) => (keys[0], true),
    };
    if !below {
        let mend = Some("the soft limit is the limit less the spike: lower the spike".to_owned());
        report.refuse(&spot.key(key), "the spike is not less than the limit", mend);
    }
    let check_interval = some_time(report, &spot.key("check_interval"), raw.check_interval);
    match raw.enabled {
        true => MemoryLimiterSpec::Limited { limit, spike, check_interval },
        false => MemoryLimiterSpec::None,
    }
}

fn refuse_mix(report: &mut Report, spot: &Spot, instead: &str) {
    let mend = Some(format!("give `{instead}` instead, so that both can be compared"));
    report.refuse(spot, "the spike is in another unit than the limit", mend);
}

/// An amount that may be given in MiB or in percent.
fn share(report: &mut Report, spot: &Spot, keys: [&str; 2], given: [Option<u64>; 2]) -> Option<MemoryShare> {
    match given {
        [None, None] => None,
        [Some(mib), None] => {
            let mib = at_least_one(report, &spot.key(keys[0]), mib);
            Some(MemoryShare::Bytes(mib.saturating_mul(1 << 20)))
        }
        [None, Some(percent)] => {
            if percent > 100 {
                report.refuse(&spot.key(keys[1]), "this is more than all memory, 100", None);
            }
            Some(MemoryShare::Percent(at_least_one(report, &spot.key(keys[1]), percent).min(100) as u8))
        }
        [Some(_), Some(_)] => {
            let what = format!("`{}` is given too", keys[0]);
            report.refuse(&spot.key(keys[1]), what, Some("give one of them".to_owned()));
            None
        }
    }
}
