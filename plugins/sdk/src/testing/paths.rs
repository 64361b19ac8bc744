//! The field paths that the host knows: a plugin that is refused there is refused in its tests.

use crate::{Error, Signal};

/// What records have, and what they belong to: attributes, fields that can be written, and fields that cannot.
struct Fields {
    attributes: &'static [&'static str],
    writable: &'static [&'static str],
    read_only: &'static [&'static str],
}

/// Of every signal.
static COMMON: Fields = Fields {
    attributes: &["attributes", "resource.attributes", "scope.attributes"],
    writable: &["scope.name", "scope.version"],
    read_only: &["resource.dropped_attributes_count", "scope.dropped_attributes_count"],
};

static TRACES: Fields = Fields {
    attributes: &["span.attributes", "span.events.attributes", "span.links.attributes"],
    writable: &[
        "span.name",
        "span.kind",
        "span.trace_state",
        "span.status.code",
        "span.status.message",
        "span.events.name",
    ],
    read_only: &[
        "span.trace_id",
        "span.span_id",
        "span.parent_span_id",
        "span.start_time",
        "span.end_time",
        "span.duration",
        "span.flags",
        "span.dropped_attributes_count",
        "span.dropped_events_count",
        "span.dropped_links_count",
        "span.events.count",
        "span.events.time",
        "span.links.count",
        "span.links.trace_id",
        "span.links.span_id",
    ],
};

static METRICS: Fields = Fields {
    attributes: &["datapoint.attributes", "metric.metadata"],
    writable: &["metric.name", "metric.description", "metric.unit"],
    read_only: &[
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
};

static LOGS: Fields = Fields {
    attributes: &["log.attributes"],
    writable: &["log.body", "log.severity_number", "log.severity_text", "log.event_name"],
    read_only: &[
        "log.time",
        "log.observed_time",
        "log.trace_id",
        "log.span_id",
        "log.flags",
        "log.dropped_attributes_count",
    ],
};

/// What a path is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

/// Refuses a path that the host would refuse in a pipeline of that signal.
pub(super) fn check(path: &str, signal: Signal, used: Use) -> Result<(), Error> {
    let (own, name) = match signal {
        Signal::Traces => (&TRACES, "traces"),
        Signal::Metrics => (&METRICS, "metrics"),
        Signal::Logs => (&LOGS, "logs"),
    };
    let known = |list: fn(&Fields) -> &[&str], path: &str| list(own).contains(&path) || list(&COMMON).contains(&path);
    if let Some((of, key)) = path.split_once('[') {
        if known(|fields| fields.attributes, of) && (key == "*]" || key_of(path).is_some()) {
            return Ok(());
        }
    } else if known(|fields| fields.writable, path) {
        return Ok(());
    } else if known(|fields| fields.read_only, path) {
        return match used {
            Use::Read => Ok(()),
            Use::Write => Err(Error::at(path, "this field can be read, but not written")),
        };
    }
    Err(Error::at(path, format!("no such field in a pipeline of {name}; docs/plugin-authors.md lists them")))
}

/// The key of a path `….attributes["key"]`; a backslash makes the next character one of the key.
pub(super) fn key_of(path: &str) -> Option<String> {
    let quoted = path.split_once("[\"")?.1.strip_suffix("\"]")?;
    let mut key = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next()?),
            '"' => return None,
            plain => key.push(plain),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted() {
        assert_eq!(key_of(r#"attributes["a.b"]"#).as_deref(), Some("a.b"));
        assert_eq!(key_of(r#"attributes["a\"b\\"]"#).as_deref(), Some(r#"a"b\"#));
        for wrong in [r#"attributes["a"b"]"#, "attributes[a]", r#"attributes["a"#, r#"attributes["a\"]"#, "log.body"] {
            assert_eq!(key_of(wrong), None, "{wrong}");
        }
    }
}
