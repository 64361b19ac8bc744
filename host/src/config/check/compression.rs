//! Compression of requests: its level, and by what it is chosen.

use std::time::Duration;

use crate::config::otel::Otel;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{Aim, Codec, Compression, CompressionSpec};
use crate::config::value::Time;

use super::some_time;

/// CPU time that compressing a MiB may take by default: 200 MiB a second of one core.
const MAX_CPU: Duration = Duration::from_millis(5);
/// CPU time that sending a MiB is taken to cost by default: about that of TLS.
const SENDING: Duration = Duration::from_micros(500);

/// Reads the keys of one exporter; `spot` is the exporter's.
pub(super) fn compression(
    report: &mut Report,
    otel: &Otel<'_>,
    spot: &Spot,
    typed: Option<&raw::Compression>,
    params: &raw::CompressionParams,
) -> CompressionSpec {
    let at = spot.key("compression_params").key("level");
    let compression = match typed {
        Some(raw::Compression::Adaptive(raw)) => {
            if params.level.is_some() {
                let mend = Some("leave it out, or name one compression, such as `zstd`".to_owned());
                report.refuse_key(&at, "`adaptive` chooses the level", mend);
            }
            return CompressionSpec::Adaptive(aim(report, &spot.key("compression").key("adaptive"), &raw.adaptive));
        }
        Some(raw::Compression::None) => Compression::None,
        Some(raw::Compression::Gzip) => Compression::Gzip,
        Some(raw::Compression::Zstd) => Compression::Zstd,
        None => otel.compression(report).unwrap_or(Compression::None),
    };
    match params.level {
        Some(level) => {
            CompressionSpec::Fixed(Codec { compression, level: self::level(report, &at, compression, level) })
        }
        None => compression.into(),
    }
}

fn level(report: &mut Report, at: &Spot, compression: Compression, level: u64) -> u8 {
    let (name, most) = match compression {
        Compression::None => {
            let mend = Some("set `compression: gzip` or `compression: zstd`, or leave it out".to_owned());
            report.refuse_key(at, "a level needs a compression", mend);
            return 0;
        }
        Compression::Gzip => ("gzip", 9),
        Compression::Zstd => ("zstd", 19),
    };
    if !(1..=u64::from(most)).contains(&level) {
        let mend = Some(format!("write a number from 1, the fastest, to {most}, the smallest"));
        report.refuse(at, format!("{name} has no level {level}"), mend);
    }
    u8::try_from(level).unwrap_or(most).clamp(1, most)
}

fn aim(report: &mut Report, spot: &Spot, raw: &raw::Adaptive) -> Aim {
    let mut time = |key: &str, typed: Option<Time>, default| match typed {
        Some(typed) => some_time(report, &spot.key(key), typed),
        None => default,
    };
    let (max_cpu, sending) = (time("max_cpu", raw.max_cpu, MAX_CPU), time("sending", raw.sending, SENDING));
    let mut foreign = |key: &str, is_typed: bool, aim: &str| {
        if is_typed {
            let mend = Some(format!("leave it out, or set `aim: {aim}`"));
            report.refuse_key(&spot.key(key), format!("`{key}` belongs to `aim: {aim}`"), mend);
        }
    };
    match raw.aim {
        Some(raw::Aim::Network) => {
            foreign("sending", raw.sending.is_some(), "cpu");
            Aim::Network { max_cpu }
        }
        Some(raw::Aim::Cpu) => {
            foreign("max_cpu", raw.max_cpu.is_some(), "network");
            Aim::Cpu { sending }
        }
        None => {
            if !report.is_given(&spot.key("aim")) {
                let mend = Some("write `aim: network` for the fewest bytes, or `aim: cpu`".to_owned());
                report.refuse_key(spot, "`aim` is missing", mend);
            }
            Aim::Network { max_cpu }
        }
    }
}
