//! The field paths that the host knows: a plugin that is refused there is refused in its tests.

use crate::{Error, Signal};

/// Paths that exist in every signal.
const COMMON: &[&str] = &["resource.attributes", "scope.attributes", "attributes"];
const COMMON_WRITABLE: &[&str] = &["scope.name", "scope.version"];
const COMMON_READ_ONLY: &[&str] = &["resource.dropped_attributes_count"];

/// What a signal's records have: lists of attributes, fields that can be written, and fields that cannot.
const fn fields(signal: Signal) -> (&'static [&'static str], &'static [&'static str], &'static [&'static str]) {
    match signal {
        Signal::Traces => (
            &["span.attributes", "span.events.attributes", "span.links.attributes"],
            &["span.name", "span.kind", "span.trace_state", "span.status.code", "span.status.message"],
            &[
                "span.trace_id",
                "span.span_id",
                "span.parent_span_id",
                "span.start_time",
                "span.end_time",
                "span.duration",
                "span.flags",
                "span.dropped_attributes_count",
                "span.events.count",
                "span.links.count",
                "span.events.name",
            ],
        ),
        Signal::Metrics => (
            &["datapoint.attributes"],
            &["metric.name", "metric.description", "metric.unit"],
            &[
                "metric.type",
                "metric.aggregation_temporality",
                "metric.is_monotonic",
                "datapoint.value",
                "datapoint.time",
                "datapoint.start_time",
                "datapoint.count",
                "datapoint.sum",
                "datapoint.min",
                "datapoint.max",
                "datapoint.flags",
            ],
        ),
        Signal::Logs => (
            &["log.attributes"],
            &["log.body", "log.severity_number", "log.severity_text", "log.event_name"],
            &["log.time", "log.observed_time", "log.trace_id", "log.span_id", "log.flags"],
        ),
    }
}

/// What a path is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

/// Refuses a path that the host would refuse in a pipeline of that signal.
pub(super) fn check(path: &str, signal: Signal, used: Use) -> Result<(), Error> {
    let (attributes, writable, read_only) = fields(signal);
    if let Some((of, key)) = path.split_once('[') {
        let named = key == "*]" || (key.starts_with('"') && key.ends_with("\"]") && key.len() >= 3);
        if named && (attributes.contains(&of) || COMMON.contains(&of)) {
            return Ok(());
        }
    } else if writable.contains(&path) || COMMON_WRITABLE.contains(&path) {
        return Ok(());
    } else if read_only.contains(&path) || COMMON_READ_ONLY.contains(&path) {
        return match used {
            Use::Read => Ok(()),
            Use::Write => Err(Error::at(path, "this field cannot be written")),
        };
    }
    let signal = match signal {
        Signal::Traces => "traces",
        Signal::Metrics => "metrics",
        Signal::Logs => "logs",
    };
    Err(Error::at(path, format!("no such field in a pipeline of {signal}; docs/plugin-authors.md lists them")))
}
