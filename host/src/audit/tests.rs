//! What the audit keeps and shows.

use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::json;

use super::*;
use crate::data::Signal;
use crate::data::batch::Batch;
use crate::data::field::Field as DataField;
use crate::data::projection::Projection;
use crate::data::walk::{Limits, walk};

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

fn span(name: &str) -> Span {
    let attributes = vec![text("user.id", "u-17"), text("http.route", &"é".repeat(100))];
    Span { trace_id: vec![0xab; 16], span_id: vec![0xcd; 8], name: name.to_owned(), attributes, ..Span::default() }
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() })
}

fn batch(signal: Signal, request: impl Message, paths: &[&str]) -> Batch {
    let mut projection = Projection::empty(signal);
    for path in paths {
        projection.add(&DataField::resolve(path, signal).unwrap(), false).unwrap();
    }
    walk(&Bytes::from(request.encode_to_vec()), &Arc::new(projection), Limits::default()).unwrap()
}

/// Two resources, with one and with two spans.
fn traces(paths: &[&str]) -> Batch {
    let resource_spans = [("shop", vec![span("first")]), ("bank", vec![span("second"), span("third")])];
    let resource_spans = resource_spans.map(|(service, spans)| ResourceSpans {
        resource: resource(service),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    });
    batch(Signal::Traces, ExportTraceServiceRequest { resource_spans: resource_spans.into() }, paths)
}

/// The fields of a row, as `/audit` shows them.
fn shown(batch: &Batch, row: usize, paths: &[&str], spec: &AuditSpec) -> serde_json::Value {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let positions: Vec<usize> = (0..paths.len()).collect();
    serde_json::to_value(fields(batch, row, paths.iter().zip(&positions), spec)).unwrap()
}

#[test]
fn a_record_is_known_by_its_ids_and_names() {
    let spans = traces(&[]);
    let of = |batch: &Batch, row| serde_json::to_value(Record::of(batch, row)).unwrap();
    let (trace_id, span_id) = ("ab".repeat(16), "cd".repeat(8));
    assert_eq!(of(&spans, 2), json!({ "signal": "traces", "trace_id": trace_id, "span_id": span_id, "name": "third" }));

    let log = LogRecord { severity_number: 17, event_name: "paid".to_owned(), ..LogRecord::default() };
    let worded = LogRecord { severity_text: "WARN".to_owned(), trace_id: vec![1; 16], ..log.clone() };
    let scope_logs = vec![ScopeLogs { log_records: vec![log, worded], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let logs = batch(Signal::Logs, ExportLogsServiceRequest { resource_logs }, &[]);
    assert_eq!(of(&logs, 0), json!({ "signal": "logs", "name": "paid", "severity": "17" }));
    let worded = json!({ "signal": "logs", "trace_id": "01".repeat(16), "name": "paid", "severity": "WARN" });
    assert_eq!(of(&logs, 1), worded);

    let point = NumberDataPoint { time_unix_nano: 1, ..NumberDataPoint::default() };
    let gauge = |name: &str, points: usize| Metric {
        name: name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points: vec![point.clone(); points] })),
        ..Metric::default()
    };
    let metrics = vec![gauge("two", 2), gauge("none", 0), gauge("one", 1)];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    let points = batch(Signal::Metrics, ExportMetricsServiceRequest { resource_metrics }, &[]);
    let names: Vec<_> = (0..3).map(|row| Record::of(&points, row).name.unwrap()).collect();
    assert_eq!(names, ["two", "two", "one"]);
}

#[test]
fn values_are_shown_only_if_they_may_be_and_shortened() {
    let paths = ["resource.attributes[\"service.name\"]", "span.attributes[*]", "span.attributes[\"nope\"]"];
    let batch = traces(&paths);
    let hidden = shown(&batch, 1, &paths, &AuditSpec::default());
    assert_eq!(
        hidden,
        json!([
            { "field": paths[0], "kind": "text" },
            { "field": paths[1], "kind": "attributes" },
            { "field": paths[2], "kind": "absent" },
        ])
    );
    let values = AuditSpec { values: true, ..AuditSpec::default() };
    let route = format!("{}…", "é".repeat(64));
    assert_eq!(
        shown(&batch, 1, &paths, &values),
        json!([
            { "field": paths[0], "kind": "text", "value": "bank" },
            { "field": paths[1], "kind": "attributes", "value": { "user.id": "u-17", "http.route": route } },
            { "field": paths[2], "kind": "absent" },
        ])
    );
    let redact = vec![paths[0].to_owned(), "span.attributes[\"user.id\"]".to_owned()];
    let redacted = shown(&batch, 1, &paths, &AuditSpec { redact, ..values });
    assert_eq!(redacted[0], hidden[0]);
    assert_eq!(redacted[1]["value"], json!({ "user.id": null, "http.route": route }));
}

fn example(pipeline: &str, stage: &str, at: u32, batch: &Batch) -> Example {
    Example {
        at: format!("2026-11-21T09:30:{at:02}.000Z"),
        pipeline: pipeline.to_owned(),
        stage: stage.to_owned(),
        plugin: "drop".to_owned(),
        version: "0.1.0".to_owned(),
        reason: if at.is_multiple_of(2) { "filtered" } else { "sampled" },
        detail: None,
        record: Record::of(batch, 0),
        fields: Vec::new(),
    }
}

#[test]
fn a_ring_keeps_the_last_ones_and_takes_few_at_a_time() {
    let batch = traces(&[]);
    let audit = Audit::new(AuditSpec { examples: 6, ..AuditSpec::default() });
    let ring = audit.ring("traces", "drop").unwrap();
    for at in 0..4 {
        let millis = u64::from(at) * 1_000;
        assert!(ring.is_hungry_at(millis));
        ring.feed_at(millis, vec![example("traces", "drop", at, &batch); 50]);
        assert!(!ring.is_hungry_at(millis + 999));
        // Another shard, which asked at the same moment.
        ring.feed_at(millis, vec![example("traces", "drop", 59, &batch); 50]);
    }
    let kept: Vec<String> = ring.examples().iter().map(|example| example.at[17..19].to_owned()).collect();
    assert_eq!(kept, ["02", "02", "03", "03", "03", "03"]);
}

#[test]
fn a_query_narrows_the_answer() {
    let batch = traces(&[]);
    let audit = Audit::new(AuditSpec::default());
    for (number, (pipeline, stage)) in [("traces", "a"), ("traces", "b b"), ("traces/x", "a")].iter().enumerate() {
        audit.ring(pipeline, stage).unwrap().feed(vec![example(pipeline, stage, number as u32, &batch)]);
    }
    let of = |query: &str| {
        let report = audit.report(&Query::parse(query).unwrap());
        report.examples.iter().map(|example| format!("{} {}", example.pipeline, example.stage)).collect::<Vec<_>>()
    };
    assert_eq!(of(""), ["traces/x a", "traces b b", "traces a"], "the newest first");
    assert_eq!(of("stage=a&pipeline=traces"), ["traces a"]);
    assert_eq!(of("stage=b%20b"), ["traces b b"]);
    assert_eq!(of("stage=b+b&reason=sampled"), ["traces b b"]);
    assert_eq!(of("pipeline=traces%2Fx"), ["traces/x a"]);
    assert_eq!(of(&format!("trace_id={}", "AB".repeat(16))).len(), 3);
    assert_eq!(of("trace_id=00"), Vec::<String>::new());
    let error = Query::parse("stge=a").unwrap_err().to_string();
    assert_eq!(error, "there is no parameter `stge`; there are pipeline, stage, reason and trace_id");
    audit.retain(|_, stage| stage == "a");
    assert_eq!(of(""), ["traces/x a", "traces a"]);
    assert!(Audit::new(AuditSpec { examples: 0, ..AuditSpec::default() }).ring("traces", "a").is_none());
}
