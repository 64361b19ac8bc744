//! The columns say what the decoded message says, for every field that has no key. (Attributes: see `edits`.)

use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use proptest::prelude::*;

use super::model::{Cell, Model};
use super::projection;
use crate::data::Signal;
use crate::data::batch::Batch;
use crate::data::testing::{Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces};
use crate::data::walk::{Limits, walk};

/// A path, and what it gives for each entry of its level in the decoded message.
type Expected = (&'static str, Vec<Cell>);

fn check(model: &Model, expected: &[Expected]) {
    let paths: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
    let bytes = model.encode().into();
    let batch: Batch = walk(&bytes, &projection(model.signal(), &paths), Limits::default()).unwrap();
    for (column, (path, cells)) in expected.iter().enumerate() {
        let level = batch.projection.columns()[column].field.level;
        assert_eq!(batch.entries(level), cells.len(), "{path}");
        for (entry, cell) in cells.iter().enumerate() {
            assert_eq!(Cell::of_value(&batch.value(column, entry)), *cell, "{path} of entry {entry}");
        }
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn id(id: &[u8]) -> Cell {
    if id.is_empty() { Cell::Absent } else { Cell::Bytes(id.to_vec()) }
}

fn double(double: Option<f64>) -> Cell {
    double.map_or(Cell::Absent, |double| Cell::Double(double.to_bits()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn columns_of_traces_say_what_the_message_says(request in arbitrary_traces(Shape::CLEAN)) {
        let resources = &request.resource_spans;
        let scopes: Vec<_> = resources.iter().flat_map(|rs| &rs.scope_spans).collect();
        let spans: Vec<_> = scopes.iter().flat_map(|ss| &ss.spans).collect();
        let events: Vec<_> = spans.iter().flat_map(|span| &span.events).collect();
        let links: Vec<_> = spans.iter().flat_map(|span| &span.links).collect();
        let scope = |pick: &dyn Fn(&_) -> Cell, default: Cell| -> Vec<Cell> {
            scopes.iter().map(|ss| ss.scope.as_ref().map_or(default.clone(), pick)).collect()
        };
        let span = |pick: &dyn Fn(&opentelemetry_proto::tonic::trace::v1::Span) -> Cell| -> Vec<Cell> {
            spans.iter().map(|span| pick(span)).collect()
        };
        use opentelemetry_proto::tonic::common::v1::InstrumentationScope as Scope;
        let expected = [
            ("resource.dropped_attributes_count", resources.iter().map(|rs| {
                Cell::Int(rs.resource.as_ref().map_or(0, |resource| resource.dropped_attributes_count.into()))
            }).collect()),
            ("scope.name", scope(&|scope: &Scope| text(&scope.name), text(""))),
            ("scope.version", scope(&|scope: &Scope| text(&scope.version), text(""))),
            ("scope.dropped_attributes_count", scope(
                &|scope: &Scope| Cell::Int(scope.dropped_attributes_count.into()), Cell::Int(0),
            )),
            ("span.trace_id", span(&|span| id(&span.trace_id))),
            ("span.span_id", span(&|span| id(&span.span_id))),
            ("span.parent_span_id", span(&|span| id(&span.parent_span_id))),
            ("span.trace_state", span(&|span| text(&span.trace_state))),
            ("span.name", span(&|span| text(&span.name))),
            ("span.kind", span(&|span| Cell::Int(span.kind.into()))),
            ("span.start_time", span(&|span| Cell::Int(span.start_time_unix_nano as i64))),
            ("span.end_time", span(&|span| Cell::Int(span.end_time_unix_nano as i64))),
            ("span.duration", span(&|span| {
                Cell::Int((span.end_time_unix_nano as i64).saturating_sub(span.start_time_unix_nano as i64))
            })),
            ("span.flags", span(&|span| Cell::Int(span.flags.into()))),
            ("span.events.count", span(&|span| Cell::Int(span.events.len() as i64))),
            ("span.links.count", span(&|span| Cell::Int(span.links.len() as i64))),
            ("span.dropped_attributes_count", span(&|span| Cell::Int(span.dropped_attributes_count.into()))),
            ("span.dropped_events_count", span(&|span| Cell::Int(span.dropped_events_count.into()))),
            ("span.dropped_links_count", span(&|span| Cell::Int(span.dropped_links_count.into()))),
            ("span.status.code", span(&|span| Cell::Int(span.status.as_ref().map_or(0, |status| status.code.into())))),
            ("span.status.message", span(&|span| text(span.status.as_ref().map_or("", |status| &status.message)))),
            ("span.events.name", events.iter().map(|event| text(&event.name)).collect()),
            ("span.events.time", events.iter().map(|event| Cell::Int(event.time_unix_nano as i64)).collect()),
            ("span.links.trace_id", links.iter().map(|link| id(&link.trace_id)).collect()),
            ("span.links.span_id", links.iter().map(|link| id(&link.span_id)).collect()),
        ];
        check(&Model::Traces(request.clone()), &expected);
    }

    #[test]
    fn columns_of_logs_say_what_the_message_says(request in arbitrary_logs(Shape::CLEAN)) {
        let scopes = request.resource_logs.iter().flat_map(|rl| &rl.scope_logs);
        let logs: Vec<_> = scopes.flat_map(|sl| &sl.log_records).collect();
        let log = |pick: &dyn Fn(&opentelemetry_proto::tonic::logs::v1::LogRecord) -> Cell| -> Vec<Cell> {
            logs.iter().map(|log| pick(log)).collect()
        };
        let expected = [
            ("log.time", log(&|log| Cell::Int(log.time_unix_nano as i64))),
            ("log.observed_time", log(&|log| Cell::Int(log.observed_time_unix_nano as i64))),
            ("log.severity_number", log(&|log| Cell::Int(log.severity_number.into()))),
            ("log.severity_text", log(&|log| text(&log.severity_text))),
            ("log.body", log(&|log| log.body.as_ref().map_or(Cell::Absent, |body| Cell::of_any(Some(body))))),
            ("log.event_name", log(&|log| text(&log.event_name))),
            ("log.trace_id", log(&|log| id(&log.trace_id))),
            ("log.span_id", log(&|log| id(&log.span_id))),
            ("log.flags", log(&|log| Cell::Int(log.flags.into()))),
            ("log.dropped_attributes_count", log(&|log| Cell::Int(log.dropped_attributes_count.into()))),
        ];
        check(&Model::Logs(request.clone()), &expected);
    }

    #[test]
    fn columns_of_metrics_say_what_the_message_says(request in arbitrary_metrics(Shape::CLEAN)) {
        let mut model = Model::Metrics(request);
        let metrics: Vec<Metric> = model.metrics().into_iter().map(|metric| metric.clone()).collect();
        let points: Vec<Point> = metrics.iter().flat_map(points).collect();
        let metric = |pick: &dyn Fn(&Metric) -> Cell| -> Vec<Cell> { metrics.iter().map(pick).collect() };
        let point = |pick: &dyn Fn(&Point) -> Cell| -> Vec<Cell> { points.iter().map(pick).collect() };
        let expected = [
            ("metric.name", metric(&|metric| text(&metric.name))),
            ("metric.description", metric(&|metric| text(&metric.description))),
            ("metric.unit", metric(&|metric| text(&metric.unit))),
            ("metric.type", metric(&|metric| kind(metric).map_or(Cell::Absent, text))),
            ("metric.aggregation_temporality", metric(&temporality)),
            ("metric.is_monotonic", metric(&|metric| match &metric.data {
                Some(metric::Data::Sum(sum)) => Cell::Bool(sum.is_monotonic),
                _ => Cell::Absent,
            })),
            ("datapoint.start_time", point(&|point| Cell::Int(point.start_time as i64))),
            ("datapoint.time", point(&|point| Cell::Int(point.time as i64))),
            ("datapoint.value", point(&|point| point.value.clone())),
            ("datapoint.flags", point(&|point| Cell::Int(point.flags.into()))),
            ("datapoint.count", point(&|point| point.count.map_or(Cell::Absent, |count| Cell::Int(count as i64)))),
            ("datapoint.sum", point(&|point| double(point.sum))),
            ("datapoint.min", point(&|point| double(point.min))),
            ("datapoint.max", point(&|point| double(point.max))),
        ];
        check(&model, &expected);
    }
}

/// What the kinds of data points have in common.
struct Point {
    start_time: u64,
    time: u64,
    flags: u32,
    value: Cell,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

macro_rules! point {
    ($point:ident, $($field:ident: $value:expr),*) => {
        Point {
            $($field: $value,)*
            ..Point {
                start_time: $point.start_time_unix_nano,
                time: $point.time_unix_nano,
                flags: $point.flags,
                value: Cell::Absent,
                count: None,
                sum: None,
                min: None,
                max: None,
            }
        }
    };
}

fn points(metric: &Metric) -> Vec<Point> {
    let number = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        point!(point, value: match point.value {
            Some(number_data_point::Value::AsDouble(double)) => Cell::Double(double.to_bits()),
            Some(number_data_point::Value::AsInt(int)) => Cell::Int(int),
            None => Cell::Absent,
        })
    };
    match &metric.data {
        Some(metric::Data::Gauge(data)) => data.data_points.iter().map(number).collect(),
        Some(metric::Data::Sum(data)) => data.data_points.iter().map(number).collect(),
        Some(metric::Data::Histogram(data)) => {
            let points = data.data_points.iter();
            points.map(|p| point!(p, count: Some(p.count), sum: p.sum, min: p.min, max: p.max)).collect()
        }
        Some(metric::Data::ExponentialHistogram(data)) => {
            let points = data.data_points.iter();
            points.map(|p| point!(p, count: Some(p.count), sum: p.sum, min: p.min, max: p.max)).collect()
        }
        // A summary's sum has no presence: one of 0 is not on the wire, and so absent.
        Some(metric::Data::Summary(data)) => {
            let sum = |sum: f64| (sum != 0.0).then_some(sum);
            data.data_points.iter().map(|p| point!(p, count: Some(p.count), sum: sum(p.sum))).collect()
        }
        None => Vec::new(),
    }
}

fn kind(metric: &Metric) -> Option<&'static str> {
    Some(match metric.data.as_ref()? {
        metric::Data::Gauge(_) => "gauge",
        metric::Data::Sum(_) => "sum",
        metric::Data::Histogram(_) => "histogram",
        metric::Data::ExponentialHistogram(_) => "exponential_histogram",
        metric::Data::Summary(_) => "summary",
    })
}

fn temporality(metric: &Metric) -> Cell {
    match &metric.data {
        Some(metric::Data::Sum(data)) => Cell::Int(data.aggregation_temporality.into()),
        Some(metric::Data::Histogram(data)) => Cell::Int(data.aggregation_temporality.into()),
        Some(metric::Data::ExponentialHistogram(data)) => Cell::Int(data.aggregation_temporality.into()),
        _ => Cell::Absent,
    }
}

#[test]
fn every_known_path_is_held_to_the_model() {
    let source = include_str!("projection.rs");
    for path in crate::data::field::all_paths().filter(|path| !path.contains('[')) {
        assert!(source.contains(&format!("\"{path}\"")), "{path}: {:?}", Signal::ALL);
    }
}
