//! What the console shows.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::data::testing::{Items, Keys, Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces};
use crate::exporter::testing::spans;

const AT: u64 = 1_795_253_400_007_000_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn checkout() -> Option<Resource> {
    Some(Resource { attributes: vec![attribute("service.name", text("checkout"))], ..Resource::default() })
}

fn rendered(verbosity: Verbosity, signal: Signal, request: &impl Message) -> String {
    render(verbosity, signal, &[request.encode_to_vec().into()]).unwrap()
}

#[test]
fn a_summary_is_one_line_a_batch() {
    let requests = [spans(&["a"]).bytes, spans(&["b", "c"]).bytes];
    let shown = render(Verbosity::Summary, Signal::Traces, &requests).unwrap();
    let bytes: usize = requests.iter().map(Bytes::len).sum();
    assert_eq!(shown, format!("traces: 3 spans of 2 resources in {bytes} bytes\n"));
}

#[test]
fn a_span_is_a_line() {
    let values = vec![AnyValue { value: Some(Value::IntValue(1)) }, AnyValue { value: Some(Value::BoolValue(true)) }];
    let span = Span {
        name: "GET /cart".to_owned(),
        start_time_unix_nano: AT,
        end_time_unix_nano: AT + 3_200_000,
        status: Some(Status { code: 2, ..Status::default() }),
        attributes: vec![
            attribute("http.route", text("/cart")),
            attribute("list", Value::ArrayValue(ArrayValue { values })),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource = ResourceSpans { resource: checkout(), scope_spans, ..ResourceSpans::default() };
    let shown =
        rendered(Verbosity::Records, Signal::Traces, &ExportTraceServiceRequest { resource_spans: vec![resource] });
    let line = "  2026-11-21T09:30:00.007Z checkout GET /cart 3.2ms error http.route=/cart list=[1, true]";
    assert_eq!(shown.lines().nth(1), Some(line));
}

#[test]
fn a_log_record_is_a_line_that_it_cannot_break() {
    let record = LogRecord {
        time_unix_nano: AT,
        severity_number: 9,
        body: Some(AnyValue { value: Some(text("two\nlines \u{1b}[2J")) }),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource = ResourceLogs { scope_logs, ..ResourceLogs::default() };
    let shown = rendered(Verbosity::Records, Signal::Logs, &ExportLogsServiceRequest { resource_logs: vec![resource] });
    let line = "  2026-11-21T09:30:00.007Z unknown_service INFO two\\nlines \\u{1b}[2J";
    assert_eq!(shown.lines().nth(1), Some(line));
}

#[test]
fn a_data_point_is_a_line() {
    let point = NumberDataPoint {
        time_unix_nano: AT,
        value: Some(number_data_point::Value::AsDouble(0.5)),
        attributes: vec![attribute("core", Value::IntValue(1))],
        ..NumberDataPoint::default()
    };
    let histogram =
        HistogramDataPoint { time_unix_nano: AT, count: 4, sum: Some(1.5), ..HistogramDataPoint::default() };
    let metric = |name: &str, data| Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let metrics = vec![
        metric("busy", metric::Data::Gauge(Gauge { data_points: vec![point] })),
        metric("took", metric::Data::Histogram(Histogram { data_points: vec![histogram], ..Histogram::default() })),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource = ResourceMetrics { resource: checkout(), scope_metrics, ..ResourceMetrics::default() };
    let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
    let shown = rendered(Verbosity::Records, Signal::Metrics, &request);
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].starts_with("metrics: 2 data points of 1 resource in "));
    assert_eq!(lines[1], "  2026-11-21T09:30:00.007Z checkout busy 0.5 s core=1");
    assert_eq!(lines[2], "  2026-11-21T09:30:00.007Z checkout took count=4 sum=1.5 s");
}

#[test]
fn detailed_shows_every_field() {
    let shown = render(Verbosity::Detailed, Signal::Traces, &[spans(&["a"]).bytes]).unwrap();
    let (_, json) = shown.split_once('\n').unwrap();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], "01".repeat(16));
}

#[test]
fn what_is_not_a_request_is_a_permanent_failure() {
    let junk = [Bytes::from_static(b"\xff\xff")];
    assert!(!render(Verbosity::Summary, Signal::Logs, &junk).unwrap_err().is_retryable());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_has_a_line_a_record(
        traces in arbitrary_traces(SHAPE), metrics in arbitrary_metrics(SHAPE), logs in arbitrary_logs(SHAPE),
    ) {
        for (signal, bytes) in [
            (Signal::Traces, traces.encode_to_vec()),
            (Signal::Metrics, metrics.encode_to_vec()),
            (Signal::Logs, logs.encode_to_vec()),
        ] {
            let records = line::of(signal, &bytes).unwrap().records.len();
            for verbosity in [Verbosity::Records, Verbosity::Detailed] {
                let shown = render(verbosity, signal, &[bytes.clone().into()]).unwrap();
                prop_assert!(verbosity != Verbosity::Records || shown.lines().count() == records + 1);
            }
        }
    }
}

const SHAPE: Shape = Shape { items: Items::Any, keys: Keys::Repeated };
