//! Stages: which plugin, and within which limits.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use crate::config::report::{Report, Spot};
use crate::config::spec::{Grant, OnError, PluginSource, StageLimits, StageSpec};
use crate::config::{STANDARD_PLUGINS, did_you_mean, raw};

use super::quarantine::quarantine;
use super::{RELATIVE, at_least_one, resolve, some_bytes, some_time, type_of};

/// One page of WebAssembly memory, and all that a 32-bit memory can have.
const MEMORY: std::ops::RangeInclusive<u64> = 64 << 10..=4 << 30;

/// Reads one stage.
pub(super) fn stage(report: &mut Report, spot: &Spot, id: &str) -> Option<StageSpec> {
    let raw: raw::Stage = report.read(spot)?;
    let plugin = plugin(report, spot, id, raw.plugin.as_deref())?;
    let config = spot.key("config");
    let place = report.place_of_key(if report.is_given(&config) { &config } else { spot });
    let on_error = match raw.on_error {
        raw::OnError::Pass => OnError::Pass,
        raw::OnError::Drop => OnError::Drop,
        raw::OnError::Reject => OnError::Reject,
    };
    let quarantine = raw.quarantine.as_ref().and_then(|raw| quarantine(report, &spot.key("quarantine"), raw));
    let grants: BTreeSet<Grant> = raw.grants.into_iter().map(grant).collect();
    Some(StageSpec {
        plugin,
        config: if raw.config.is_null() { serde_json::json!({}) } else { raw.config },
        limits: limits(report, &spot.key("limits"), &raw.limits),
        on_error,
        quarantine,
        grants: grants.into_iter().collect(),
        empty_wasi: raw.wasi == raw::Wasi::Empty,
        place,
    })
}

/// Finds the plugin; one that does not exist is refused.
fn plugin(report: &mut Report, spot: &Spot, id: &str, typed: Option<&str>) -> Option<PluginSource> {
    let at = spot.key("plugin");
    let Some(name) = typed.or_else(|| STANDARD_PLUGINS.into_iter().find(|name| *name == type_of(id))) else {
        let mend = format!("name a standard plugin ({}), a `.wasm` file or the folder of a plugin crate", known());
        report.refuse(&at, "`plugin` is missing", Some(mend));
        return None;
    };
    let is_wasm = name.ends_with(".wasm");
    if !is_wasm && !name.contains('/') && !name.starts_with('.') {
        if STANDARD_PLUGINS.contains(&name) {
            return Some(PluginSource::Standard(name.to_owned()));
        }
        let near = super::super::closest(name, STANDARD_PLUGINS);
        let mend = match near {
            Some(_) => did_you_mean(name, STANDARD_PLUGINS),
            None => Some(format!("standard plugins are {}; a path has a `/` or ends in `.wasm`", known())),
        };
        report.refuse(&at, format!("there is no standard plugin `{name}`"), mend);
        return None;
    }
    let path = resolve(report, spot, name);
    if is_wasm && path.is_file() {
        return Some(PluginSource::File(path));
    }
    if !is_wasm && path.join("Cargo.toml").is_file() {
        return Some(PluginSource::Crate(path));
    }
    let what = match (is_wasm, path.is_dir()) {
        (true, _) => "there is no such file",
        (false, true) => "the folder is not a plugin crate: it has no Cargo.toml",
        (false, false) => "there is no such folder",
    };
    report.refuse(&at, what, Some(RELATIVE.to_owned()));
    None
}

fn known() -> String {
    STANDARD_PLUGINS.map(|name| format!("`{name}`")).join(", ")
}

fn grant(raw: raw::Grant) -> Grant {
    match raw {
        raw::Grant::Metrics => Grant::Metrics,
        raw::Grant::State => Grant::State,
        raw::Grant::Clock => Grant::Clock,
        raw::Grant::Random => Grant::Random,
    }
}

fn limits(report: &mut Report, spot: &Spot, raw: &raw::StageLimits) -> StageLimits {
    if !MEMORY.contains(&raw.memory.0) {
        report.refuse(&spot.key("memory"), "the memory of an instance is between 64KiB and 4GiB", None);
    }
    StageLimits {
        deadline: some_time(report, &spot.key("deadline"), raw.deadline),
        memory: raw.memory.bytes(),
        answer: some_bytes(report, &spot.key("answer"), raw.answer),
        state: raw.state.bytes(),
        calls: NonZeroU64::new(raw.calls),
        search_time: raw.search_time.0,
        search_records: at_least_one(report, &spot.key("search_records"), raw.search_records),
    }
}
