//! Which records the walk rejects alone, and that the rest goes on (R38–R40, F10).

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric,
};
use prost::Message;

use super::unknown::{request, span};
use super::{projection, spliced, walked};
use crate::data::Signal;
use crate::data::batch::{Batch, Rejection};
use crate::data::column::Value;
use crate::data::walk::{Limits, walk};

fn reasons(batch: &Batch) -> Vec<(u32, Rejection)> {
    batch.rejected.clone()
}

#[test]
fn r38_spans_with_invalid_ids_are_rejected_alone() {
    let mut spans = vec![span("good"), span("short"), span("zero"), span("no span id"), span("parent")];
    spans[1].trace_id = vec![7; 15];
    spans[2].trace_id = vec![0; 16];
    spans[3].span_id = Vec::new();
    spans[4].parent_span_id = vec![1; 7];
    let batch = walked(Signal::Traces, &request(spans), &[]);
    assert_eq!(
        reasons(&batch),
        [(1, Rejection::TraceId), (2, Rejection::TraceId), (3, Rejection::SpanId), (4, Rejection::ParentSpanId)]
    );
    assert_eq!(spliced::<ExportTraceServiceRequest>(&batch), request(vec![span("good")]));
}

fn logs(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

#[test]
fn r39_a_log_record_with_invalid_ids_is_kept_as_not_associated() {
    let record = |trace_id: Vec<u8>, span_id: Vec<u8>| LogRecord {
        time_unix_nano: 5,
        trace_id,
        span_id,
        event_name: "e".to_owned(),
        ..LogRecord::default()
    };
    let sent = logs(vec![record(vec![1; 16], vec![2; 8]), record(vec![1; 3], vec![2; 8]), record(vec![], vec![0; 8])]);
    let batch = walked(Signal::Logs, &sent, &["log.trace_id"]);
    assert!(batch.rejected.is_empty());
    assert_eq!(batch.value(0, 1), Value::Absent);
    let expected = logs(vec![record(vec![1; 16], vec![2; 8]), record(vec![], vec![]), record(vec![], vec![])]);
    assert_eq!(spliced::<ExportLogsServiceRequest>(&batch), expected);
}

fn metrics(data: Vec<metric::Data>) -> ExportMetricsServiceRequest {
    let metrics = data.into_iter().map(|data| Metric { data: Some(data), ..Metric::default() }).collect();
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn number(time: u64) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: time, ..NumberDataPoint::default() }
}

fn histogram(count: u64, buckets: &[u64], bounds: &[f64]) -> HistogramDataPoint {
    HistogramDataPoint {
        time_unix_nano: 1,
        count,
        bucket_counts: buckets.to_vec(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    }
}

#[test]
fn r40_points_without_time_temporality_or_sound_buckets_are_rejected() {
    let sent = metrics(vec![
        metric::Data::Gauge(Gauge { data_points: vec![number(1), number(0)] }),
        metric::Data::Sum(Sum { data_points: vec![number(1)], aggregation_temporality: 0, is_monotonic: true }),
        metric::Data::Histogram(Histogram {
            aggregation_temporality: 2,
            data_points: vec![
                histogram(3, &[1, 2], &[5.0]),
                histogram(3, &[1, 2], &[]),
                histogram(4, &[1, 2], &[5.0]),
                histogram(9, &[], &[]),
                histogram(9, &[], &[1.0]),
            ],
        }),
        metric::Data::ExponentialHistogram(ExponentialHistogram {
            aggregation_temporality: 1,
            data_points: vec![ExponentialHistogramDataPoint {
                time_unix_nano: 1,
                count: 2,
                zero_count: 1,
                ..ExponentialHistogramDataPoint::default()
            }],
        }),
    ]);
    let batch = walked(Signal::Metrics, &sent, &["metric.type"]);
    assert_eq!(
        reasons(&batch),
        [
            (1, Rejection::PointTime),
            (2, Rejection::Temporality),
            (4, Rejection::Buckets),
            (5, Rejection::Buckets),
            (7, Rejection::Buckets),
            (8, Rejection::Buckets)
        ]
    );
    let expected = metrics(vec![
        metric::Data::Gauge(Gauge { data_points: vec![number(1)] }),
        metric::Data::Histogram(Histogram {
            aggregation_temporality: 2,
            data_points: vec![histogram(3, &[1, 2], &[5.0]), histogram(9, &[], &[])],
        }),
    ]);
    assert_eq!(spliced::<ExportMetricsServiceRequest>(&batch), expected);
}

#[test]
fn f10_records_with_too_many_or_too_large_attributes_are_rejected_alone() {
    let mut spans = vec![span("good"), span("many"), span("large")];
    spans[1].attributes = vec![KeyValue::default(); 11];
    spans[2].attributes = vec![KeyValue { key: "k".repeat(200), ..KeyValue::default() }];
    let bytes = Bytes::from(request(spans).encode_to_vec());
    let limits = Limits { attributes: 10, attribute_bytes: 100, ..Limits::default() };
    let batch = walk(&bytes, &projection(Signal::Traces, &[]), limits).unwrap();
    assert_eq!(reasons(&batch), [(1, Rejection::AttributeCount), (2, Rejection::AttributeBytes)]);
    assert_eq!(spliced::<ExportTraceServiceRequest>(&batch), request(vec![span("good")]));
}

#[test]
fn f10_a_resource_with_too_many_attributes_takes_its_records_along() {
    let mut sent = request(vec![span("a"), span("b")]);
    let resource = sent.resource_spans[0].resource.get_or_insert_default();
    resource.attributes = vec![KeyValue::default(); 11];
    sent.resource_spans.extend(request(vec![span("c")]).resource_spans);
    let limits = Limits { attributes: 10, ..Limits::default() };
    let batch = walk(&Bytes::from(sent.encode_to_vec()), &projection(Signal::Traces, &[]), limits).unwrap();
    assert_eq!(reasons(&batch), [(0, Rejection::AttributeCount), (1, Rejection::AttributeCount)]);
    assert_eq!(batch.live_rows(), 1);
}
