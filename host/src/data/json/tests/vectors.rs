//! The examples of opentelemetry-proto.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;

const TRACE: &str = include_str!("../../../../../tests/data/trace.json");
const METRICS: &str = include_str!("../../../../../tests/data/metrics.json");
const LOGS: &str = include_str!("../../../../../tests/data/logs.json");

const TRACE_ID: [u8; 16] =
    [0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c];
const SPAN_ID: [u8; 8] = [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74];
const PARENT_ID: [u8; 8] = [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x73];
const TIME: u64 = 1_544_712_660_300_000_000;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), key_strindex: 0 }
}

fn text(key: &str, value: &str) -> Vec<KeyValue> {
    vec![pair(key, Value::StringValue(value.to_owned()))]
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: text("service.name", "my.service"), ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "my.library".to_owned(),
        version: "1.0.0".to_owned(),
        attributes: text("my.scope.attribute", "some scope attribute"),
        dropped_attributes_count: 0,
    })
}

fn trace() -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        parent_span_id: PARENT_ID.to_vec(),
        name: "I'm a server span".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_544_712_660_000_000_000,
        end_time_unix_nano: 1_544_712_661_000_000_000,
        attributes: text("my.span.attr", "some value"),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { scope: scope(), spans: vec![span], schema_url: String::new() }];
    let resource_spans = vec![ResourceSpans { resource: resource(), scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }
}

fn logs() -> ExportLogsServiceRequest {
    let values = ["many", "values"].map(|value| any(Value::StringValue(value.to_owned()))).to_vec();
    let attributes = vec![
        pair("string.attribute", Value::StringValue("some string".to_owned())),
        pair("boolean.attribute", Value::BoolValue(true)),
        pair("int.attribute", Value::IntValue(10)),
        pair("double.attribute", Value::DoubleValue(637.704)),
        pair("array.attribute", Value::ArrayValue(ArrayValue { values })),
        pair("map.attribute", Value::KvlistValue(KeyValueList { values: text("some.map.key", "some value") })),
    ];
    let record = LogRecord {
        time_unix_nano: TIME,
        observed_time_unix_nano: TIME,
        severity_number: 10,
        severity_text: "Information".to_owned(),
        body: Some(any(Value::StringValue("Example log record".to_owned()))),
        attributes,
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records: vec![record], schema_url: String::new() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, schema_url: String::new() }];
    ExportLogsServiceRequest { resource_logs }
}

fn metrics() -> ExportMetricsServiceRequest {
    let number = |value, start_time_unix_nano, key| NumberDataPoint {
        attributes: text(key, "some value"),
        start_time_unix_nano,
        time_unix_nano: TIME,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let histogram = HistogramDataPoint {
        attributes: text("my.histogram.attr", "some value"),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME,
        count: 2,
        sum: Some(2.0),
        bucket_counts: vec![1, 1],
        explicit_bounds: vec![1.0],
        min: Some(0.0),
        max: Some(2.0),
        ..HistogramDataPoint::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        attributes: text("my.exponential.histogram.attr", "some value"),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME,
        count: 3,
        sum: Some(10.0),
        zero_count: 1,
        positive: Some(Buckets { offset: 1, bucket_counts: vec![0, 2] }),
        min: Some(0.0),
        max: Some(5.0),
        ..ExponentialHistogramDataPoint::default()
    };
    let counter =
        Sum { data_points: vec![number(5.0, TIME, "my.counter.attr")], aggregation_temporality: 1, is_monotonic: true };
    let gauge = Gauge { data_points: vec![number(10.0, 0, "my.gauge.attr")] };
    let histogram = Histogram { data_points: vec![histogram], aggregation_temporality: 1 };
    let exponential = ExponentialHistogram { data_points: vec![exponential], aggregation_temporality: 1 };
    let metric = |name: &str, description: &str, data| Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: "1".to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    };
    let metrics = vec![
        metric("my.counter", "I am a Counter", metric::Data::Sum(counter)),
        metric("my.gauge", "I am a Gauge", metric::Data::Gauge(gauge)),
        metric("my.histogram", "I am a Histogram", metric::Data::Histogram(histogram)),
        metric(
            "my.exponential.histogram",
            "I am an Exponential Histogram",
            metric::Data::ExponentialHistogram(exponential),
        ),
    ];
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, schema_url: String::new() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics, schema_url: String::new() }];
    ExportMetricsServiceRequest { resource_metrics }
}

#[test]
fn r37_the_trace_example_decodes_to_its_protobuf_form() {
    assert_eq!(decoded::<ExportTraceServiceRequest>(Signal::Traces, TRACE), trace());
}

#[test]
fn r37_the_metrics_example_decodes_to_its_protobuf_form() {
    assert_eq!(decoded::<ExportMetricsServiceRequest>(Signal::Metrics, METRICS), metrics());
}

#[test]
fn r37_the_logs_example_decodes_to_its_protobuf_form() {
    assert_eq!(decoded::<ExportLogsServiceRequest>(Signal::Logs, LOGS), logs());
}

/// The reader of opentelemetry-proto is an independent one; of the examples it loses nothing.
#[test]
fn e30_another_reader_reads_what_is_written() {
    assert_eq!(serde_json::from_str::<ExportTraceServiceRequest>(&encoded(Signal::Traces, &trace())).unwrap(), trace());
    assert_eq!(serde_json::from_str::<ExportLogsServiceRequest>(&encoded(Signal::Logs, &logs())).unwrap(), logs());
    let written = encoded(Signal::Metrics, &metrics());
    assert_eq!(serde_json::from_str::<ExportMetricsServiceRequest>(&written).unwrap(), metrics());
}
