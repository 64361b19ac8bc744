//! What edits and selections mean, said in terms of decoded messages.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::data::Signal;
use crate::data::column::Value;
use crate::data::field::Level;

/// A decoded request.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Model {
    pub fn signal(&self) -> Signal {
        match self {
            Model::Traces(_) => Signal::Traces,
            Model::Metrics(_) => Signal::Metrics,
            Model::Logs(_) => Signal::Logs,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Model::Traces(request) => request.encode_to_vec(),
            Model::Metrics(request) => request.encode_to_vec(),
            Model::Logs(request) => request.encode_to_vec(),
        }
    }

    pub fn decode(signal: Signal, bytes: &[u8]) -> Model {
        match signal {
            Signal::Traces => Model::Traces(Message::decode(bytes).unwrap()),
            Signal::Metrics => Model::Metrics(Message::decode(bytes).unwrap()),
            Signal::Logs => Model::Logs(Message::decode(bytes).unwrap()),
        }
    }

    /// The lists of attributes of a level's entries, in order. Lists of a resource or scope that is not there are
    /// made only when they are written: see [`Slot`].
    pub fn attributes(&mut self, level: Level) -> Vec<Slot<'_>> {
        match self {
            Model::Traces(request) => {
                let resources = request.resource_spans.iter_mut();
                match level {
                    Level::Resource => resources.map(|rs| Slot::Resource(&mut rs.resource)).collect(),
                    Level::Scope => {
                        resources.flat_map(|rs| &mut rs.scope_spans).map(|ss| Slot::Scope(&mut ss.scope)).collect()
                    }
                    _ => {
                        let spans = resources.flat_map(|rs| &mut rs.scope_spans).flat_map(|ss| &mut ss.spans);
                        match level {
                            Level::Event => spans
                                .flat_map(|span| &mut span.events)
                                .map(|event| Slot::Plain(&mut event.attributes))
                                .collect(),
                            Level::Link => spans
                                .flat_map(|span| &mut span.links)
                                .map(|link| Slot::Plain(&mut link.attributes))
                                .collect(),
                            _ => spans.map(|span| Slot::Plain(&mut span.attributes)).collect(),
                        }
                    }
                }
            }
            Model::Logs(request) => {
                let resources = request.resource_logs.iter_mut();
                match level {
                    Level::Resource => resources.map(|rl| Slot::Resource(&mut rl.resource)).collect(),
                    Level::Scope => {
                        resources.flat_map(|rl| &mut rl.scope_logs).map(|sl| Slot::Scope(&mut sl.scope)).collect()
                    }
                    _ => resources
                        .flat_map(|rl| &mut rl.scope_logs)
                        .flat_map(|sl| &mut sl.log_records)
                        .map(|log| Slot::Plain(&mut log.attributes))
                        .collect(),
                }
            }
            Model::Metrics(request) => {
                let resources = request.resource_metrics.iter_mut();
                match level {
                    Level::Resource => resources.map(|rm| Slot::Resource(&mut rm.resource)).collect(),
                    Level::Scope => {
                        resources.flat_map(|rm| &mut rm.scope_metrics).map(|sm| Slot::Scope(&mut sm.scope)).collect()
                    }
                    _ => {
                        let metrics = resources.flat_map(|rm| &mut rm.scope_metrics).flat_map(|sm| &mut sm.metrics);
                        match level {
                            Level::Metric => metrics.map(|metric| Slot::Plain(&mut metric.metadata)).collect(),
                            _ => metrics.flat_map(point_attributes).map(Slot::Plain).collect(),
                        }
                    }
                }
            }
        }
    }

    /// All metrics, in order.
    pub fn metrics(&mut self) -> Vec<&mut Metric> {
        match self {
            Model::Metrics(request) => request
                .resource_metrics
                .iter_mut()
                .flat_map(|rm| &mut rm.scope_metrics)
                .flat_map(|sm| &mut sm.metrics)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Removes the records whose row `keep` denies, and the envelopes that thereby lose their last one.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut row = 0;
        let mut next = || {
            row += 1;
            keep(row - 1)
        };
        match self {
            Model::Traces(request) => request.resource_spans.retain_mut(|rs| {
                emptied(&mut rs.scope_spans, |ss| retain(&mut ss.spans, &mut next), |ss| ss.spans.len())
            }),
            Model::Logs(request) => request.resource_logs.retain_mut(|rl| {
                emptied(&mut rl.scope_logs, |sl| retain(&mut sl.log_records, &mut next), |sl| sl.log_records.len())
            }),
            Model::Metrics(request) => request.resource_metrics.retain_mut(|rm| {
                emptied(
                    &mut rm.scope_metrics,
                    |sm| emptied(&mut sm.metrics, |metric| retain_points(metric, &mut next), points),
                    |sm| sm.metrics.iter().map(points).sum(),
                )
            }),
        }
    }
}

/// Filters each child; the answer is whether the parent stays: it had no records, or still has some.
fn emptied<T>(children: &mut Vec<T>, mut filter: impl FnMut(&mut T) -> bool, records: impl Fn(&T) -> usize) -> bool {
    let before: usize = children.iter().map(&records).sum();
    children.retain_mut(&mut filter);
    let after: usize = children.iter().map(&records).sum();
    before == 0 || after > 0
}

fn retain<T>(records: &mut Vec<T>, next: &mut impl FnMut() -> bool) -> bool {
    let before = records.len();
    records.retain(|_| next());
    before == 0 || !records.is_empty()
}

fn retain_points(metric: &mut Metric, next: &mut impl FnMut() -> bool) -> bool {
    match &mut metric.data {
        Some(metric::Data::Gauge(data)) => retain(&mut data.data_points, next),
        Some(metric::Data::Sum(data)) => retain(&mut data.data_points, next),
        Some(metric::Data::Histogram(data)) => retain(&mut data.data_points, next),
        Some(metric::Data::ExponentialHistogram(data)) => retain(&mut data.data_points, next),
        Some(metric::Data::Summary(data)) => retain(&mut data.data_points, next),
        None => true,
    }
}

fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(metric::Data::Gauge(data)) => data.data_points.len(),
        Some(metric::Data::Sum(data)) => data.data_points.len(),
        Some(metric::Data::Histogram(data)) => data.data_points.len(),
        Some(metric::Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(metric::Data::Summary(data)) => data.data_points.len(),
        None => 0,
    }
}

fn point_attributes(metric: &mut Metric) -> Vec<&mut Vec<KeyValue>> {
    match &mut metric.data {
        Some(metric::Data::Gauge(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(metric::Data::Sum(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(metric::Data::Histogram(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(metric::Data::ExponentialHistogram(data)) => {
            data.data_points.iter_mut().map(|point| &mut point.attributes).collect()
        }
        Some(metric::Data::Summary(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        None => Vec::new(),
    }
}

/// A list of attributes that may have to be made.
pub enum Slot<'a> {
    Plain(&'a mut Vec<KeyValue>),
    Resource(&'a mut Option<Resource>),
    Scope(&'a mut Option<InstrumentationScope>),
}

impl Slot<'_> {
    pub fn read(&self) -> &[KeyValue] {
        match self {
            Slot::Plain(list) => list,
            Slot::Resource(resource) => resource.as_ref().map_or(&[], |resource| &resource.attributes),
            Slot::Scope(scope) => scope.as_ref().map_or(&[], |scope| &scope.attributes),
        }
    }

    /// Sorts the attributes by key, and forgets a message that holds nothing.
    pub fn normalise(&mut self) {
        match self {
            Slot::Plain(list) => list.sort_by(|left, right| left.key.cmp(&right.key)),
            Slot::Resource(Some(resource)) => resource.attributes.sort_by(|left, right| left.key.cmp(&right.key)),
            Slot::Scope(Some(scope)) => scope.attributes.sort_by(|left, right| left.key.cmp(&right.key)),
            Slot::Resource(None) | Slot::Scope(None) => {}
        }
        match self {
            Slot::Resource(resource) => drop(resource.take_if(|resource| *resource == Resource::default())),
            Slot::Scope(scope) => drop(scope.take_if(|scope| *scope == InstrumentationScope::default())),
            Slot::Plain(_) => {}
        }
    }

    /// Sets or deletes an attribute: the first of its key is replaced, further ones go.
    pub fn write(&mut self, key: &str, value: Option<AnyValue>) {
        if value.is_none() && self.read().iter().all(|pair| pair.key != key) {
            return;
        }
        let list = match self {
            Slot::Plain(list) => &mut **list,
            Slot::Resource(resource) => &mut resource.get_or_insert_default().attributes,
            Slot::Scope(scope) => &mut scope.get_or_insert_default().attributes,
        };
        let first = list.iter().position(|pair| pair.key == key);
        let mut index = 0;
        list.retain(|pair| {
            index += 1;
            pair.key != key || (value.is_some() && Some(index - 1) == first)
        });
        match (first, value) {
            (Some(first), Some(value)) => list[first].value = Some(value),
            (None, Some(value)) => {
                list.push(KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() });
            }
            (_, None) => {}
        }
    }
}

/// The cell that a value in a message becomes, with nested values encoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Absent,
    Empty,
    Text(String),
    Bool(bool),
    Int(i64),
    Double(u64),
    Bytes(Vec<u8>),
    Array(Vec<u8>),
    KvList(Vec<u8>),
}

impl Cell {
    pub fn of_value(value: &Value<'_>) -> Cell {
        match value {
            Value::Absent => Cell::Absent,
            Value::Empty => Cell::Empty,
            Value::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
            Value::Bool(bool) => Cell::Bool(*bool),
            Value::Int(int) => Cell::Int(*int),
            Value::Double(double) => Cell::Double(double.to_bits()),
            Value::Bytes(bytes) => Cell::Bytes(bytes.to_vec()),
            Value::Array(content) => Cell::Array(content.to_vec()),
            Value::KvList(content) => Cell::KvList(content.to_vec()),
        }
    }

    pub fn as_value(&self) -> Value<'_> {
        match self {
            Cell::Absent => Value::Absent,
            Cell::Empty => Value::Empty,
            Cell::Text(text) => Value::Text(text.as_bytes()),
            Cell::Bool(bool) => Value::Bool(*bool),
            Cell::Int(int) => Value::Int(*int),
            Cell::Double(bits) => Value::Double(f64::from_bits(*bits)),
            Cell::Bytes(bytes) => Value::Bytes(bytes),
            Cell::Array(content) => Value::Array(content),
            Cell::KvList(content) => Value::KvList(content),
        }
    }

    pub fn of_any(value: Option<&AnyValue>) -> Cell {
        match value.and_then(|value| value.value.as_ref()) {
            None => Cell::Empty,
            Some(any_value::Value::StringValue(text)) => Cell::Text(text.clone()),
            Some(any_value::Value::BoolValue(bool)) => Cell::Bool(*bool),
            Some(any_value::Value::IntValue(int)) => Cell::Int(*int),
            Some(any_value::Value::DoubleValue(double)) => Cell::Double(double.to_bits()),
            Some(any_value::Value::BytesValue(bytes)) => Cell::Bytes(bytes.clone()),
            Some(any_value::Value::ArrayValue(array)) => Cell::Array(array.encode_to_vec()),
            Some(any_value::Value::KvlistValue(list)) => Cell::KvList(list.encode_to_vec()),
            Some(other) => panic!("not of these signals: {other:?}"),
        }
    }

    pub fn to_any(&self) -> Option<AnyValue> {
        let value = match self {
            Cell::Absent => return None,
            Cell::Empty => None,
            Cell::Text(text) => Some(any_value::Value::StringValue(text.clone())),
            Cell::Bool(bool) => Some(any_value::Value::BoolValue(*bool)),
            Cell::Int(int) => Some(any_value::Value::IntValue(*int)),
            Cell::Double(bits) => Some(any_value::Value::DoubleValue(f64::from_bits(*bits))),
            Cell::Bytes(bytes) => Some(any_value::Value::BytesValue(bytes.clone())),
            Cell::Array(content) => Some(any_value::Value::ArrayValue(ArrayValue::decode(&content[..]).unwrap())),
            Cell::KvList(content) => Some(any_value::Value::KvlistValue(KeyValueList::decode(&content[..]).unwrap())),
        };
        Some(AnyValue { value })
    }

    /// What the first attribute of that key gives.
    pub fn of_attribute(list: &[KeyValue], key: &str) -> Cell {
        list.iter().find(|pair| pair.key == key).map_or(Cell::Absent, |pair| Cell::of_any(pair.value.as_ref()))
    }
}
