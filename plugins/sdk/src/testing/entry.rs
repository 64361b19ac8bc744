//! The parts of telemetry for tests, and how they are described: `|span| span.name("GET /").kind(2)`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{OwnedValue, SpanId, Time, TraceId};

static ABSENT: OwnedValue = OwnedValue::Absent;

/// One thing that has fields and attributes: a span, a resource, an event, …
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    pub(super) fields: BTreeMap<String, OwnedValue>,
    pub(super) attributes: Vec<(String, OwnedValue)>,
}

impl Entry {
    /// The value of an attribute; absent if it has none.
    pub fn attribute(&self, key: &str) -> &OwnedValue {
        self.attributes.iter().find(|(found, _)| found == key).map_or(&ABSENT, |(_, value)| value)
    }

    /// The value of a field, by its path: `span.name`.
    pub fn field(&self, path: &str) -> &OwnedValue {
        self.fields.get(path).unwrap_or(&ABSENT)
    }

    /// The keys of its attributes, in their order.
    pub fn keys(&self) -> Vec<&str> {
        self.attributes.iter().map(|(key, _)| key.as_str()).collect()
    }

    pub(super) fn set_attribute(&mut self, key: &str, value: OwnedValue) {
        let found = self.attributes.iter().position(|(known, _)| known == key);
        match (found, value) {
            (Some(at), OwnedValue::Absent) => drop(self.attributes.remove(at)),
            (None, OwnedValue::Absent) => {}
            (Some(at), value) => self.attributes[at].1 = value,
            (None, value) => self.attributes.push((key.to_owned(), value)),
        }
    }

    pub(super) fn set_field(&mut self, path: &str, value: OwnedValue) {
        match value {
            OwnedValue::Absent => drop(self.fields.remove(path)),
            value => drop(self.fields.insert(path.to_owned(), value)),
        }
    }
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident { $($(#[$method_doc:meta])* $method:ident($type:ty) => $path:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name(pub(super) Record);

        impl $name {
            /// Adds an attribute.
            pub fn attribute(mut self, key: &str, value: impl Into<OwnedValue>) -> Self {
                self.0.entry.set_attribute(key, value.into());
                self
            }

            /// Sets a field by its path.
            pub fn field(mut self, path: &str, value: impl Into<OwnedValue>) -> Self {
                self.0.entry.set_field(path, value.into());
                self
            }

            $(
                $(#[$method_doc])*
                pub fn $method(self, value: $type) -> Self {
                    self.field($path, value)
                }
            )*
        }
    };
}

entry! {
    /// A span.
    Span {
        /// `span.name`
        name(&str) => "span.name";
        /// `span.kind`, as its number.
        kind(i64) => "span.kind";
        /// `span.status.code`: 0 unset, 1 ok, 2 error.
        status_code(i64) => "span.status.code";
        /// `span.status.message`
        status_message(&str) => "span.status.message";
        /// `span.trace_id`
        trace_id(TraceId) => "span.trace_id";
        /// `span.span_id`
        span_id(SpanId) => "span.span_id";
        /// `span.parent_span_id`
        parent_span_id(SpanId) => "span.parent_span_id";
        /// `span.trace_state`
        trace_state(&str) => "span.trace_state";
    }
}

entry! {
    /// A log record.
    Log {
        /// `log.body`: text, or any other value.
        body(impl Into<OwnedValue>) => "log.body";
        /// `log.severity_number`: 9 info, 13 warn, 17 error.
        severity_number(i64) => "log.severity_number";
        /// `log.severity_text`
        severity_text(&str) => "log.severity_text";
        /// `log.event_name`
        event_name(&str) => "log.event_name";
        /// `log.time`
        time(Time) => "log.time";
        /// `log.trace_id`
        trace_id(TraceId) => "log.trace_id";
    }
}

entry! {
    /// A data point.
    Point {
        /// `datapoint.value`: an integer or a double.
        value(impl Into<OwnedValue>) => "datapoint.value";
        /// `datapoint.time`
        time(Time) => "datapoint.time";
        /// `datapoint.count`, of a histogram or summary.
        count(i64) => "datapoint.count";
        /// `datapoint.sum`, of a histogram or summary.
        sum(f64) => "datapoint.sum";
    }
}

entry! {
    /// A metric.
    Metric {
        /// `metric.name`
        name(&str) => "metric.name";
        /// `metric.unit`
        unit(&str) => "metric.unit";
        /// `metric.description`
        description(&str) => "metric.description";
        /// `metric.type`: `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
        kind(&str) => "metric.type";
    }
}

entry! {
    /// A resource.
    Resource {}
}

entry! {
    /// An instrumentation scope.
    Scope {
        /// `scope.name`
        name(&str) => "scope.name";
        /// `scope.version`
        version(&str) => "scope.version";
    }
}

entry! {
    /// A span event.
    Event {
        /// `span.events.name`
        name(&str) => "span.events.name";
    }
}

entry! {
    /// A span link.
    Link {}
}

macro_rules! dropped {
    ($($name:ident)*) => {$(
        impl $name {
            /// Has it dropped by an earlier stage: it is in the batch, but not live.
            pub fn dropped_before(mut self) -> Self {
                self.0.dropped = true;
                self
            }
        }
    )*};
}

dropped!(Span Log Point);

/// When spans of tests start, unless they say: some moment in 2023.
const START_NS: i64 = 1_700_000_000_000_000_000;

impl Span {
    /// Sets `span.duration`, `span.start_time` and `span.end_time`.
    pub fn duration(self, duration: Duration) -> Self {
        let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        self.field("span.duration", nanoseconds)
            .field("span.start_time", START_NS)
            .field("span.end_time", START_NS.saturating_add(nanoseconds))
    }

    /// Adds an event.
    pub fn event(mut self, make: impl FnOnce(Event) -> Event) -> Self {
        self.0.events.push(make(Event::default()).0.entry);
        self
    }

    /// Adds a link.
    pub fn link(mut self, make: impl FnOnce(Link) -> Link) -> Self {
        self.0.links.push(make(Link::default()).0.entry);
        self
    }
}

/// A record and what it belongs to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub entry: Entry,
    pub events: Vec<Entry>,
    pub links: Vec<Entry>,
    pub resource: usize,
    pub scope: usize,
    pub metric: usize,
    pub dropped: bool,
}

impl From<TraceId> for OwnedValue {
    fn from(id: TraceId) -> Self {
        OwnedValue::Bytes(id.0.to_vec())
    }
}

impl From<SpanId> for OwnedValue {
    fn from(id: SpanId) -> Self {
        OwnedValue::Bytes(id.0.to_vec())
    }
}

impl From<Time> for OwnedValue {
    fn from(time: Time) -> Self {
        OwnedValue::Int(time.0 as i64)
    }
}

impl PartialEq<str> for OwnedValue {
    fn eq(&self, other: &str) -> bool {
        matches!(self, OwnedValue::Text(text) if text == other)
    }
}

impl PartialEq<i64> for OwnedValue {
    fn eq(&self, other: &i64) -> bool {
        matches!(self, OwnedValue::Int(int) if int == other)
    }
}
