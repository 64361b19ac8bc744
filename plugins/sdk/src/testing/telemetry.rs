//! Telemetry for tests.

use crate::testing::entry::{Entry, Log, Metric, Point, Record, Resource, Scope, Span};
use crate::{Level, Signal};

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
