//! The OpenTelemetry SDK for Rust as the client: every protocol and compression that it has, every signal.
//!
//! Not async, as an application that uses the SDK's blocking HTTP client is not.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value as Json;

use crate::harness::{PATIENCE, Sluicebox, log_records, spans};

const PIPELINE: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } } }
exporters:
  file/traces: { path: traces.jsonl }
  file/metrics: { path: metrics.jsonl }
  file/logs: { path: logs.jsonl }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines:
    traces: { receivers: [otlp], exporters: [file/traces] }
    metrics: { receivers: [otlp], exporters: [file/metrics] }
    logs: { receivers: [otlp], exporters: [file/logs] }
";

/// More than one batch of the SDK's processors, which hold 512.
const CHILDREN: usize = 700;
const RECORDS: usize = 600;

/// How the SDK sends.
#[derive(Clone, Copy)]
struct Way {
    protocol: Protocol,
    compression: Option<Compression>,
}

/// Builds an exporter of one signal; the three builders share no trait for this.
macro_rules! exporter {
    ($exporter:ident, $path:literal, $way:expr, $to:expr) => {{
        let Way { protocol, compression } = $way;
        if protocol == Protocol::Grpc {
            let builder =
                $exporter::builder().with_tonic().with_endpoint(format!("http://{}", $to.address("otlp", "grpc")));
            match compression {
                Some(compression) => builder.with_compression(compression),
                None => builder,
            }
            .build()
            .unwrap()
        } else {
            let endpoint = format!(concat!("http://{}", $path), $to.address("otlp", "http"));
            let builder = $exporter::builder().with_http().with_endpoint(endpoint).with_protocol(protocol);
            match compression {
                Some(compression) => builder.with_compression(compression),
                None => builder,
            }
            .build()
            .unwrap()
        }
    }};
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_service_name("checkout")
        .with_attribute(KeyValue::new("deployment.environment.name", "test"))
        .build()
}

fn library() -> InstrumentationScope {
    InstrumentationScope::builder("shop.library").with_version("1.2.3").build()
}

fn send_spans(way: Way, to: &Sluicebox) {
    let exporter = exporter!(SpanExporter, "/v1/traces", way, to);
    let provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    let tracer = provider.tracer_with_scope(library());
    let root = tracer.span_builder("root").with_kind(SpanKind::Server).start(&tracer);
    let context = Context::new().with_span(root);
    for number in 0..CHILDREN {
        let mut child = tracer.start_with_context(format!("child-{number}"), &context);
        child.set_attribute(KeyValue::new("number", number as i64));
        child.set_attribute(KeyValue::new("ratio", 0.5));
        child.set_attribute(KeyValue::new("cached", true));
        child.set_attribute(KeyValue::new("tags", Value::Array(Array::String(vec!["a".into(), "b".into()]))));
        child.add_event("looked up", vec![KeyValue::new("rows", 3)]);
        child.add_link(context.span().span_context().clone(), Vec::new());
        if number == 13 {
            child.set_status(Status::error("no such card"));
        }
        child.end();
    }
    context.span().end();
    provider.shutdown_with_timeout(PATIENCE).unwrap();
}

fn send_metrics(way: Way, to: &Sluicebox) {
    let exporter = exporter!(MetricExporter, "/v1/metrics", way, to);
    let provider = SdkMeterProvider::builder().with_resource(resource()).with_periodic_exporter(exporter).build();
    let meter = provider.meter_with_scope(library());
    let orders = meter.u64_counter("orders").with_unit("{order}").build();
    orders.add(3, &[KeyValue::new("method", "card")]);
    orders.add(4, &[KeyValue::new("method", "cash")]);
    meter.f64_gauge("temperature").build().record(21.5, &[]);
    let took = meter.f64_histogram("took").with_boundaries(vec![1.0, 10.0]).build();
    [0.5, 2.0, 3.0, 20.0].into_iter().for_each(|value| took.record(value, &[]));
    // Collects and sends once.
    provider.shutdown_with_timeout(PATIENCE).unwrap();
}

fn send_logs(way: Way, to: &Sluicebox) {
    let exporter = exporter!(LogExporter, "/v1/logs", way, to);
    let provider = SdkLoggerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    let logger = provider.logger_with_scope(library());
    for number in 0..RECORDS {
        let mut record = logger.create_log_record();
        record.set_body(AnyValue::from(format!("line {number}")));
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.add_attribute("number", number as i64);
        logger.emit(record);
    }
    provider.shutdown_with_timeout(PATIENCE).unwrap();
}

/// Attributes by key, with the mapping of OTLP/JSON that holds the value.
fn attributes(of: &Json) -> BTreeMap<&str, &Json> {
    let pairs = of["attributes"].as_array().into_iter().flatten();
    pairs.map(|pair| (pair["key"].as_str().unwrap(), &pair["value"])).collect()
}

/// Every line tells who sent it.
fn assert_origin(lines: &[Json], resources: &str, scopes: &str) {
    for resource in lines.iter().flat_map(|line| line[resources].as_array().unwrap()) {
        let expected = BTreeMap::from([("deployment.environment.name", "test"), ("service.name", "checkout")]);
        let found = attributes(&resource["resource"]);
        let found: BTreeMap<_, _> =
            found.iter().map(|(key, value)| (*key, value["stringValue"].as_str().unwrap())).collect();
        assert_eq!(found, expected);
        for scope in resource[scopes].as_array().unwrap() {
            assert_eq!(
                (&scope["scope"]["name"], &scope["scope"]["version"]),
                (&"shop.library".into(), &"1.2.3".into())
            );
        }
    }
}

fn assert_spans(sluicebox: &Sluicebox) {
    let lines = sluicebox.wait_for_lines("traces.jsonl", |lines| spans(lines).len() > CHILDREN);
    assert_origin(&lines, "resourceSpans", "scopeSpans");
    let spans: BTreeMap<&str, &Json> =
        spans(&lines).into_iter().map(|span| (span["name"].as_str().unwrap(), span)).collect();
    assert_eq!(spans.len(), CHILDREN + 1);
    let root = spans["root"];
    assert_eq!(root["kind"], 2);
    for number in 0..CHILDREN {
        let child = spans[format!("child-{number}").as_str()];
        assert_eq!((&child["traceId"], &child["parentSpanId"]), (&root["traceId"], &root["spanId"]));
        let found = attributes(child);
        assert_eq!(found["number"]["intValue"], number.to_string());
        assert_eq!(found["ratio"]["doubleValue"], 0.5);
        assert_eq!(found["cached"]["boolValue"], true);
        assert_eq!(found["tags"]["arrayValue"]["values"][1]["stringValue"], "b");
        assert_eq!(child["events"][0]["name"], "looked up");
        assert_eq!(attributes(&child["events"][0])["rows"]["intValue"], "3");
        assert_eq!(child["links"][0]["spanId"], root["spanId"]);
    }
    assert_eq!(spans["child-13"]["status"], serde_json::json!({ "code": 2, "message": "no such card" }));
}

fn assert_metrics(sluicebox: &Sluicebox) {
    let lines = sluicebox.wait_for_lines("metrics.jsonl", |lines| !lines.is_empty());
    assert_origin(&lines, "resourceMetrics", "scopeMetrics");
    let scope = &lines[0]["resourceMetrics"][0]["scopeMetrics"][0];
    let metrics: BTreeMap<&str, &Json> =
        scope["metrics"].as_array().unwrap().iter().map(|metric| (metric["name"].as_str().unwrap(), metric)).collect();
    assert_eq!(metrics.keys().copied().collect::<Vec<_>>(), ["orders", "temperature", "took"]);
    assert_eq!(metrics["orders"]["unit"], "{order}");
    let points = metrics["orders"]["sum"]["dataPoints"].as_array().unwrap();
    let orders: BTreeMap<_, _> = points
        .iter()
        .map(|point| (attributes(point)["method"]["stringValue"].as_str().unwrap(), point["asInt"].as_str().unwrap()))
        .collect();
    assert_eq!(orders, BTreeMap::from([("card", "3"), ("cash", "4")]));
    assert_eq!(points.len(), 2);
    assert_eq!(metrics["temperature"]["gauge"]["dataPoints"][0]["asDouble"], 21.5);
    let took = &metrics["took"]["histogram"]["dataPoints"][0];
    assert_eq!(took["bucketCounts"], serde_json::json!(["1", "2", "1"]));
    assert_eq!((&took["count"], &took["sum"]), (&"4".into(), &25.5.into()));
}

fn assert_logs(sluicebox: &Sluicebox) {
    let lines = sluicebox.wait_for_lines("logs.jsonl", |lines| log_records(lines).len() >= RECORDS);
    assert_origin(&lines, "resourceLogs", "scopeLogs");
    let records = log_records(&lines);
    let bodies: BTreeSet<&str> = records.iter().map(|record| record["body"]["stringValue"].as_str().unwrap()).collect();
    assert_eq!((records.len(), bodies.len()), (RECORDS, RECORDS));
    for record in records {
        assert_eq!((&record["severityNumber"], &record["severityText"]), (&13.into(), &"WARN".into()));
        let number = attributes(record)["number"]["intValue"].as_str().unwrap();
        assert_eq!(record["body"]["stringValue"], format!("line {number}"));
    }
}

/// Sends every signal, and holds the files against it; after a clean end too, so that nothing comes twice.
fn everything_arrives_once(way: Way) {
    let sluicebox = Sluicebox::run(PIPELINE);
    send_spans(way, &sluicebox);
    send_metrics(way, &sluicebox);
    send_logs(way, &sluicebox);
    assert_spans(&sluicebox);
    assert_metrics(&sluicebox);
    assert_logs(&sluicebox);
    let (_, folder) = sluicebox.stop();
    let count = |name: &str, what: &str| {
        std::fs::read_to_string(folder.path().join(name)).unwrap().matches(&format!("\"{what}\":")).count()
    };
    assert_eq!(count("traces.jsonl", "parentSpanId"), CHILDREN);
    assert_eq!(count("metrics.jsonl", "bucketCounts"), 1);
    assert_eq!(count("logs.jsonl", "body"), RECORDS);
}

/// The SDK's gRPC exporters want a runtime around them.
fn over_grpc(compression: Option<Compression>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    everything_arrives_once(Way { protocol: Protocol::Grpc, compression });
}

#[test]
fn r02_the_sdk_over_grpc() {
    over_grpc(None);
}

#[test]
fn r01_the_sdk_over_grpc_with_gzip() {
    over_grpc(Some(Compression::Gzip));
}

#[test]
fn r02_the_sdk_over_http_with_protobuf() {
    everything_arrives_once(Way { protocol: Protocol::HttpBinary, compression: None });
}

#[test]
fn r01_the_sdk_over_http_with_protobuf_and_gzip() {
    everything_arrives_once(Way { protocol: Protocol::HttpBinary, compression: Some(Compression::Gzip) });
}

#[test]
fn r19_the_sdk_over_http_with_json() {
    everything_arrives_once(Way { protocol: Protocol::HttpJson, compression: None });
}

#[test]
fn r22_the_sdk_over_http_with_json_and_gzip() {
    everything_arrives_once(Way { protocol: Protocol::HttpJson, compression: Some(Compression::Gzip) });
}
