//! Telemetry for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Level, OwnedValue, Signal, SpanId, Time, TraceId};

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
        pub struct $name(Record);

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

/// A batch of spans, data points or log records. A record belongs to the resource, the scope and the metric that
/// were added last before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    pub(super) signal: Signal,
    pub(super) resources: Vec<Entry>,
    pub(super) scopes: Vec<Entry>,
    pub(super) metrics: Vec<Entry>,
    pub(super) records: Vec<Record>,
    /// Whether a scope, and a metric, was added since the last resource, and the last scope.
    scoped: bool,
    measured: bool,
}

impl Telemetry {
    fn new(signal: Signal) -> Self {
        let (resources, scopes, metrics, records) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Telemetry { signal, resources, scopes, metrics, records, scoped: false, measured: false }
    }

    /// Traces: no span yet.
    pub fn spans() -> Self {
        Telemetry::new(Signal::Traces)
    }

    /// Metrics: no data point yet.
    pub fn points() -> Self {
        Telemetry::new(Signal::Metrics)
    }

    /// Logs: no log record yet.
    pub fn logs() -> Self {
        Telemetry::new(Signal::Logs)
    }

    /// Begins a resource.
    pub fn resource(mut self, make: impl FnOnce(Resource) -> Resource) -> Self {
        self.resources.push(make(Resource::default()).0.entry);
        (self.scoped, self.measured) = (false, false);
        self
    }

    /// Begins a scope.
    pub fn scope(mut self, make: impl FnOnce(Scope) -> Scope) -> Self {
        self.scopes.push(make(Scope::default()).0.entry);
        (self.scoped, self.measured) = (true, false);
        self
    }

    /// Begins a metric.
    pub fn metric(mut self, make: impl FnOnce(Metric) -> Metric) -> Self {
        self.metrics.push(make(Metric::default()).0.entry);
        self.measured = true;
        self
    }

    /// Adds a span.
    pub fn span(self, make: impl FnOnce(Span) -> Span) -> Self {
        self.record(Signal::Traces, make(Span::default()).0)
    }

    /// Adds a data point.
    pub fn point(self, make: impl FnOnce(Point) -> Point) -> Self {
        self.record(Signal::Metrics, make(Point::default()).0)
    }

    /// Adds a log record.
    pub fn log(self, make: impl FnOnce(Log) -> Log) -> Self {
        self.record(Signal::Logs, make(Log::default()).0)
    }

    fn record(mut self, signal: Signal, mut record: Record) -> Self {
        assert_eq!(self.signal, signal, "spans, data points and log records do not mix");
        if self.resources.is_empty() {
            self.resources.push(Entry::default());
        }
        if !self.scoped {
            self.scopes.push(Entry::default());
            self.scoped = true;
        }
        if !self.measured && signal == Signal::Metrics {
            self.metrics.push(Entry::default());
            self.measured = true;
        }
        record.resource = self.resources.len() - 1;
        record.scope = self.scopes.len() - 1;
        record.metric = self.metrics.len().saturating_sub(1);
        self.records.push(record);
        self
    }

    /// Record number `row`, from 0.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn row(&self, row: usize) -> &Entry {
        &self.records[row].entry
    }

    /// The resource of a record.
    ///
    /// # Panics
    /// If there are fewer records.
    pub fn resource_of(&self, row: usize) -> &Entry {
        &self.resources[self.records[row].resource]
    }

    /// The scope of a record.
    ///
    /// # Panics
    /// If there are fewer records.
    pub fn scope_of(&self, row: usize) -> &Entry {
        &self.scopes[self.records[row].scope]
    }

    /// The metric of a data point.
    ///
    /// # Panics
    /// If there are fewer data points.
    pub fn metric_of(&self, row: usize) -> &Entry {
        &self.metrics[self.records[row].metric]
    }

    /// The events of a span.
    ///
    /// # Panics
    /// If there are fewer spans.
    pub fn events_of(&self, row: usize) -> &[Entry] {
        &self.records[row].events
    }

    /// The links of a span.
    ///
    /// # Panics
    /// If there are fewer spans.
    pub fn links_of(&self, row: usize) -> &[Entry] {
        &self.records[row].links
    }

    /// All entries of a level, in the order in which columns have them.
    pub(super) fn level(&self, level: Level) -> Vec<&Entry> {
        let records = self.records.iter();
        match level {
            Level::Record => records.map(|record| &record.entry).collect(),
            Level::Resource => self.resources.iter().collect(),
            Level::Scope => self.scopes.iter().collect(),
            Level::Metric => self.metrics.iter().collect(),
            Level::Event => records.flat_map(|record| &record.events).collect(),
            Level::Link => records.flat_map(|record| &record.links).collect(),
        }
    }

    /// The same, to change.
    pub(super) fn level_mut(&mut self, level: Level) -> Vec<&mut Entry> {
        let records = self.records.iter_mut();
        match level {
            Level::Record => records.map(|record| &mut record.entry).collect(),
            Level::Resource => self.resources.iter_mut().collect(),
            Level::Scope => self.scopes.iter_mut().collect(),
            Level::Metric => self.metrics.iter_mut().collect(),
            Level::Event => records.flat_map(|record| &mut record.events).collect(),
            Level::Link => records.flat_map(|record| &mut record.links).collect(),
        }
    }
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
