//! Field paths: what plugins may read and write, spelled as in OTTL.
//!
//! A path names one field of one *level* of a batch: `span.name` is a field of every record of a traces batch,
//! `resource.attributes["service.name"]` one of every resource. [`Field::resolve`] turns the text into something that
//! the walk can look for and the splice can write.

use std::fmt;

use super::Signal;

/// Where a field lives. A column has one cell for each entry of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// One entry a `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
    Resource,
    /// One entry a `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
    Scope,
    /// One entry a `Metric`.
    Metric,
    /// One entry a span, data point or log record.
    Record,
    /// One entry a span event.
    Event,
    /// One entry a span link.
    Link,
}

/// How a field's value is encoded, and so what kind of cell it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A proto3 string: text, empty if it is not set.
    Text,
    /// A varint of 32 bits, signed (enums): an integer, 0 if it is not set.
    Int32,
    /// A varint of 32 bits, unsigned: an integer, 0 if it is not set.
    Uint32,
    /// A fixed32: an integer, 0 if it is not set.
    Fixed32,
    /// A fixed64: an integer (a time, a count), 0 if it is not set.
    Fixed64,
    /// A double with presence: absent if it is not set.
    Double,
    /// Bytes: an id; absent if it is empty.
    Id,
    /// An `AnyValue`: whatever it holds; absent if the field is not there.
    Any,
}

/// What the walk looks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The attribute with that key.
    Attribute(Box<str>),
    /// All attributes.
    Attributes,
    /// A field of the level's message, by number.
    Plain(u32, Shape),
    /// A field of the span's `Status`.
    Status(u32, Shape),
    /// End less start, of a span.
    Duration,
    /// How often a repeated field of the level's message occurs.
    Count(u32),
    /// Which member of `Metric.data` is set, as text.
    MetricType,
    /// `aggregation_temporality` of the metric's data.
    Temporality,
    /// `is_monotonic` of a sum.
    Monotonic,
    /// A field of a data point; its number depends on the kind of the metric.
    Point(PointField),
}

/// Fields of data points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PointField {
    /// The number of a gauge's or sum's point, integer or double.
    Value,
    /// `flags`.
    Flags,
    /// `count` of histograms and summaries.
    Count,
    /// `sum` of histograms and summaries.
    Sum,
    /// `min` of histograms.
    Min,
    /// `max` of histograms.
    Max,
}

/// A field that exists in the batches of one signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Where it lives.
    pub level: Level,
    /// What the walk looks for.
    pub source: Source,
    /// Whether plugins may edit it.
    pub writable: bool,
}

/// A path that names no field of the signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// It is not spelled as a path.
    #[error("`{path}` is not a field path: write `span.name`, `span.attributes[\"key\"]` or `span.attributes[*]`")]
    Syntax {
        /// The path as given.
        path: String,
    },
    /// It is a field of another signal.
    #[error("`{path}` is a field of {of}, but the pipeline carries {signal}")]
    Signal {
        /// The path as given.
        path: String,
        /// The signal that has it.
        of: Signal,
        /// The signal of the pipeline.
        signal: Signal,
    },
    /// No signal has it.
    #[error("there is no field `{path}`{}", suggestion(.near))]
    Unknown {
        /// The path as given.
        path: String,
        /// The field that may have been meant.
        near: Option<&'static str>,
    },
    /// It cannot be edited.
    #[error("`{path}` can be read, but not written")]
    ReadOnly {
        /// The path as given.
        path: String,
    },
}

fn suggestion(near: &Option<&'static str>) -> String {
    near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default()
}

/// A field without a key.
struct Known {
    path: &'static str,
    signal: Option<Signal>,
    level: Level,
    source: Source,
    writable: bool,
}

const fn read(path: &'static str, signal: Signal, source: Source) -> Known {
    Known { path, signal: Some(signal), level: Level::Record, source, writable: false }
}

const fn write(path: &'static str, signal: Signal, source: Source) -> Known {
    Known { path, signal: Some(signal), level: Level::Record, source, writable: true }
}

/// A field that is not the record's own.
const fn at(level: Level, signal: Option<Signal>, path: &'static str, source: Source, writable: bool) -> Known {
    Known { path, signal, level, source, writable }
}

use Shape::{Any, Fixed32, Fixed64, Id, Int32, Text, Uint32};
use Signal::{Logs, Metrics, Traces};
use Source::{Count, Plain, Point, Status};

/// Every field without a key. Field numbers are those of opentelemetry-proto 1.x.
static KNOWN: &[Known] = &[
    at(Level::Resource, None, "resource.dropped_attributes_count", Plain(2, Uint32), false),
    at(Level::Scope, None, "scope.name", Plain(1, Text), true),
    at(Level::Scope, None, "scope.version", Plain(2, Text), true),
    at(Level::Scope, None, "scope.dropped_attributes_count", Plain(4, Uint32), false),
    read("span.trace_id", Traces, Plain(1, Id)),
    read("span.span_id", Traces, Plain(2, Id)),
    write("span.trace_state", Traces, Plain(3, Text)),
    read("span.parent_span_id", Traces, Plain(4, Id)),
    write("span.name", Traces, Plain(5, Text)),
    write("span.kind", Traces, Plain(6, Int32)),
    read("span.start_time", Traces, Plain(7, Fixed64)),
    read("span.end_time", Traces, Plain(8, Fixed64)),
    read("span.duration", Traces, Source::Duration),
    read("span.dropped_attributes_count", Traces, Plain(10, Uint32)),
    read("span.events.count", Traces, Count(11)),
    read("span.dropped_events_count", Traces, Plain(12, Uint32)),
    read("span.links.count", Traces, Count(13)),
    read("span.dropped_links_count", Traces, Plain(14, Uint32)),
    write("span.status.message", Traces, Status(2, Text)),
    write("span.status.code", Traces, Status(3, Int32)),
    read("span.flags", Traces, Plain(16, Fixed32)),
    at(Level::Event, Some(Traces), "span.events.time", Plain(1, Fixed64), false),
    at(Level::Event, Some(Traces), "span.events.name", Plain(2, Text), true),
    at(Level::Link, Some(Traces), "span.links.trace_id", Plain(1, Id), false),
    at(Level::Link, Some(Traces), "span.links.span_id", Plain(2, Id), false),
    at(Level::Metric, Some(Metrics), "metric.name", Plain(1, Text), true),
    at(Level::Metric, Some(Metrics), "metric.description", Plain(2, Text), true),
    at(Level::Metric, Some(Metrics), "metric.unit", Plain(3, Text), true),
    at(Level::Metric, Some(Metrics), "metric.type", Source::MetricType, false),
    at(Level::Metric, Some(Metrics), "metric.aggregation_temporality", Source::Temporality, false),
    at(Level::Metric, Some(Metrics), "metric.is_monotonic", Source::Monotonic, false),
    read("datapoint.start_time", Metrics, Plain(2, Fixed64)),
    read("datapoint.time", Metrics, Plain(3, Fixed64)),
    read("datapoint.value", Metrics, Point(PointField::Value)),
    read("datapoint.flags", Metrics, Point(PointField::Flags)),
    read("datapoint.count", Metrics, Point(PointField::Count)),
    read("datapoint.sum", Metrics, Point(PointField::Sum)),
    read("datapoint.min", Metrics, Point(PointField::Min)),
    read("datapoint.max", Metrics, Point(PointField::Max)),
    read("log.time", Logs, Plain(1, Fixed64)),
    write("log.severity_number", Logs, Plain(2, Int32)),
    write("log.severity_text", Logs, Plain(3, Text)),
    write("log.body", Logs, Plain(5, Any)),
    read("log.dropped_attributes_count", Logs, Plain(7, Uint32)),
    read("log.flags", Logs, Plain(8, Fixed32)),
    read("log.trace_id", Logs, Plain(9, Id)),
    read("log.span_id", Logs, Plain(10, Id)),
    read("log.observed_time", Logs, Plain(11, Fixed64)),
    write("log.event_name", Logs, Plain(12, Text)),
];

/// What attributes belong to: the text before the bracket, the signal that has it, the level.
static OWNERS: &[(&str, Option<Signal>, Level)] = &[
    ("attributes", None, Level::Record),
    ("resource.attributes", None, Level::Resource),
    ("scope.attributes", None, Level::Scope),
    ("span.attributes", Some(Traces), Level::Record),
    ("span.events.attributes", Some(Traces), Level::Event),
    ("span.links.attributes", Some(Traces), Level::Link),
    ("metric.metadata", Some(Metrics), Level::Metric),
    ("datapoint.attributes", Some(Metrics), Level::Record),
    ("log.attributes", Some(Logs), Level::Record),
];

/// The paths of all fields, as documentation lists them: attributes with a key as `["key"]`.
pub fn all_paths() -> impl Iterator<Item = String> {
    let known = KNOWN.iter().map(|known| known.path.to_owned());
    known.chain(OWNERS.iter().flat_map(|(owner, ..)| [format!("{owner}[\"key\"]"), format!("{owner}[*]")]))
}

impl Field {
    /// The field of `signal`'s batches that `path` names.
    pub fn resolve(path: &str, signal: Signal) -> Result<Field, PathProblem> {
        let (owner, key) = split_key(path).ok_or_else(|| PathProblem::Syntax { path: path.to_owned() })?;
        match key {
            Some(key) => Field::of_attributes(path, &owner, key, signal),
            None => Field::of_known(path, signal),
        }
    }

    /// Like [`Field::resolve`], for a field that is to be edited.
    pub fn resolve_writable(path: &str, signal: Signal) -> Result<Field, PathProblem> {
        let field = Field::resolve(path, signal)?;
        if field.writable { Ok(field) } else { Err(PathProblem::ReadOnly { path: path.to_owned() }) }
    }

    fn of_known(path: &str, signal: Signal) -> Result<Field, PathProblem> {
        let Some(known) = KNOWN.iter().find(|known| known.path == path) else {
            return Err(PathProblem::Unknown { path: path.to_owned(), near: nearest(path) });
        };
        check_signal(path, known.signal, signal)?;
        Ok(Field { level: known.level, source: known.source.clone(), writable: known.writable })
    }

    fn of_attributes(path: &str, owner: &str, key: Key, signal: Signal) -> Result<Field, PathProblem> {
        let Some((_, of, level)) = OWNERS.iter().find(|(name, ..)| *name == owner) else {
            return Err(PathProblem::Unknown { path: path.to_owned(), near: nearest(owner) });
        };
        check_signal(path, *of, signal)?;
        let source = match key {
            Key::All => Source::Attributes,
            Key::One(key) => Source::Attribute(key),
        };
        Ok(Field { level: *level, source, writable: true })
    }
}

fn check_signal(path: &str, of: Option<Signal>, signal: Signal) -> Result<(), PathProblem> {
    match of {
        Some(of) if of != signal => Err(PathProblem::Signal { path: path.to_owned(), of, signal }),
        _ => Ok(()),
    }
}

enum Key {
    One(Box<str>),
    All,
}

/// Splits `owner["key"]` and `owner[*]`; none if the brackets are not well-formed.
fn split_key(path: &str) -> Option<(String, Option<Key>)> {
    let Some((owner, rest)) = path.split_once('[') else {
        return (!path.is_empty()).then(|| (path.to_owned(), None));
    };
    let inner = rest.strip_suffix(']')?;
    if inner == "*" {
        return Some((owner.to_owned(), Some(Key::All)));
    }
    let quoted = inner.strip_prefix('"')?.strip_suffix('"')?;
    let mut key = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => key.push(chars.next()?),
            '"' => return None,
            _ => key.push(char),
        }
    }
    Some((owner.to_owned(), Some(Key::One(key.into()))))
}

/// The known path that takes the fewest changes, if they are few.
fn nearest(path: &str) -> Option<&'static str> {
    let names = KNOWN.iter().map(|known| known.path).chain(OWNERS.iter().map(|(owner, ..)| *owner));
    names.map(|name| (distance(path, name), name)).min().filter(|(changes, _)| *changes <= 4).map(|(_, name)| name)
}

/// Levenshtein distance in bytes; inputs are short.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().take(128).enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, r) in row.iter_mut().skip(1).zip(right.bytes()) {
            let value = (diagonal + usize::from(l != r)).min(before + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, value);
            before = value;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Resource => "resource",
            Level::Scope => "scope",
            Level::Metric => "metric",
            Level::Record => "record",
            Level::Event => "event",
            Level::Link => "link",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_fields_of_their_signal() {
        let field = Field::resolve(r#"span.attributes["http.route"]"#, Traces).unwrap();
        assert_eq!(field.source, Source::Attribute("http.route".into()));
        assert_eq!((field.level, field.writable), (Level::Record, true));
        assert_eq!(Field::resolve("attributes[*]", Logs).unwrap().source, Source::Attributes);
        assert_eq!(Field::resolve("scope.name", Logs).unwrap().level, Level::Scope);
        let quoted = Field::resolve(r#"resource.attributes["a\"b\\c"]"#, Logs).unwrap();
        assert_eq!(quoted.source, Source::Attribute(r#"a"b\c"#.into()));
    }

    #[test]
    fn a_wrong_path_is_told_with_its_mend() {
        let error = |path, signal| Field::resolve(path, signal).unwrap_err().to_string();
        assert_eq!(error("span.nam", Traces), "there is no field `span.nam`: did you mean `span.name`?");
        assert_eq!(error("span.name", Logs), "`span.name` is a field of traces, but the pipeline carries logs");
        assert_eq!(
            error("span.attributes[http.route]", Traces),
            "`span.attributes[http.route]` is not a field path: write `span.name`, `span.attributes[\"key\"]` or `span.attributes[*]`"
        );
        assert_eq!(error("zzzzzzzzzzzz", Traces), "there is no field `zzzzzzzzzzzz`");
        let read_only = Field::resolve_writable("span.trace_id", Traces).unwrap_err();
        assert_eq!(read_only.to_string(), "`span.trace_id` can be read, but not written");
    }
}
