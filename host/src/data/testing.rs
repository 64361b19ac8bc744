//! Generators of OTLP requests for property tests: the model that the walk, the splice and the JSON codec are
//! held against.
//!
//! Doubles hold one NaN only, so that two messages are equal exactly if their encodings are. Values that
//! outside the profiles signal must not be used (`string_value_strindex`, `key_strindex`) are left out.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::{SizeRange, vec};
use proptest::option;
use proptest::prelude::*;

/// Keys of generated attributes: few, so that a projection on them hits.
pub const KEYS: [&str; 6] =
    ["service.name", "http.route", "http.response.status_code", "user.email", "größe", "a key \"quoted\""];

/// Whether generated items keep the rules that a receiver rejects items by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Ids of the right length and not zero (those that may be absent are valid or empty), times that are not 0,
    /// a temporality, bucket counts that fit their bounds and add up to the count (or neither counts nor bounds).
    Valid,
    /// Any of that may be broken.
    Any,
}

/// Whether a key may come twice in one list of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Each key at most once a list, at every depth.
    Unique,
    /// The same key may come again.
    Repeated,
}

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Whether items may be broken.
    pub items: Items,
    /// Whether attribute keys may repeat.
    pub keys: Keys,
}

impl Shape {
    /// Only what a conforming client sends.
    pub const CLEAN: Shape = Shape { items: Items::Valid, keys: Keys::Unique };
    /// Anything that the messages can say.
    pub const WILD: Shape = Shape { items: Items::Any, keys: Keys::Repeated };
}

type Generator<T> = BoxedStrategy<T>;

fn few<T: std::fmt::Debug + 'static>(item: Generator<T>, size: impl Into<SizeRange>) -> Generator<Vec<T>> {
    vec(item, size).boxed()
}

/// Short texts: plain, empty, and of any characters, among them those that JSON escapes.
pub fn arbitrary_text() -> Generator<String> {
    prop_oneof![
        2 => Just(String::new()),
        4 => "[a-z/.]{1,12}",
        2 => vec(any::<char>(), 0..8).prop_map(String::from_iter),
        1 => Just("\u{0}\t\"\\\n\u{7f}\u{2028}😀".to_owned()),
    ]
    .boxed()
}

/// Doubles of every class.
pub fn arbitrary_double() -> Generator<f64> {
    prop_oneof![
        4 => any::<f64>(),
        2 => (-1000i32..1000).prop_map(f64::from),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1e21, 1e-7, 0.1, 9_007_199_254_740_993.0, f64::MAX, f64::MIN_POSITIVE, 5e-324,
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
        ]),
    ]
    .prop_map(|double| if double.is_nan() { f64::NAN } else { double })
    .boxed()
}

fn int() -> Generator<i64> {
    prop_oneof![2 => -100i64..600, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)].boxed()
}

fn count32() -> Generator<u32> {
    prop_oneof![3 => Just(0u32), 1 => any::<u32>()].boxed()
}

fn valid_id(length: usize) -> Generator<Vec<u8>> {
    vec(any::<u8>(), length)
        .prop_map(|mut id| {
            if id.iter().all(|&byte| byte == 0) {
                id[0] = 1;
            }
            id
        })
        .boxed()
}

fn id(shape: Shape, length: usize) -> Generator<Vec<u8>> {
    match shape.items {
        Items::Valid => valid_id(length),
        Items::Any => {
            prop_oneof![6 => valid_id(length), 1 => Just(vec![0; length]), 1 => vec(any::<u8>(), 0..20)].boxed()
        }
    }
}

fn id_or_none(shape: Shape, length: usize) -> Generator<Vec<u8>> {
    prop_oneof![1 => Just(Vec::new()), 1 => id(shape, length)].boxed()
}

fn time(shape: Shape) -> Generator<u64> {
    let now = 1_700_000_000_000_000_000u64..1_800_000_000_000_000_000;
    match shape.items {
        Items::Valid => now.boxed(),
        Items::Any => prop_oneof![3 => now, 1 => Just(0), 1 => any::<u64>()].boxed(),
    }
}

fn time_or_none(shape: Shape) -> Generator<u64> {
    prop_oneof![1 => Just(0), 3 => time(shape)].boxed()
}

fn temporality(shape: Shape) -> Generator<i32> {
    match shape.items {
        Items::Valid => (1..3).boxed(),
        Items::Any => prop_oneof![4 => 0..4i32, 1 => any::<i32>()].boxed(),
    }
}

fn key_value(value: Generator<AnyValue>) -> Generator<KeyValue> {
    (prop::sample::select(KEYS.to_vec()), option::weighted(0.95, value))
        .prop_map(|(key, value)| KeyValue { key: key.to_owned(), value, key_strindex: 0 })
        .boxed()
}

fn key_values(keys: Keys, value: Generator<AnyValue>) -> Generator<Vec<KeyValue>> {
    vec(key_value(value), 0..5)
        .prop_map(move |mut list| {
            let mut seen = std::collections::HashSet::new();
            list.retain(|pair| seen.insert(pair.key.clone()) || keys == Keys::Repeated);
            list
        })
        .boxed()
}

/// Values of every kind, nested up to three levels.
pub fn arbitrary_value(keys: Keys) -> Generator<AnyValue> {
    let leaf = prop_oneof![
        1 => Just(None),
        4 => arbitrary_text().prop_map(|text| Some(Value::StringValue(text))),
        1 => any::<bool>().prop_map(|bool| Some(Value::BoolValue(bool))),
        2 => int().prop_map(|int| Some(Value::IntValue(int))),
        2 => arbitrary_double().prop_map(|double| Some(Value::DoubleValue(double))),
        1 => vec(any::<u8>(), 0..10).prop_map(|bytes| Some(Value::BytesValue(bytes))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let inner = inner.boxed();
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            key_values(keys, inner).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
    .boxed()
}

/// A list of attributes.
pub fn arbitrary_attributes(keys: Keys) -> Generator<Vec<KeyValue>> {
    key_values(keys, arbitrary_value(keys))
}

fn entity_ref() -> Generator<EntityRef> {
    (arbitrary_text(), arbitrary_text(), few(arbitrary_text(), 0..3), few(arbitrary_text(), 0..2))
        .prop_map(|(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        })
        .boxed()
}

fn resource(shape: Shape) -> Generator<Resource> {
    (arbitrary_attributes(shape.keys), count32(), few(entity_ref(), 0..2))
        .prop_map(|(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        })
        .boxed()
}

fn scope(shape: Shape) -> Generator<InstrumentationScope> {
    (arbitrary_text(), arbitrary_text(), arbitrary_attributes(shape.keys), count32())
        .prop_map(|(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        })
        .boxed()
}

fn span_event(shape: Shape) -> Generator<span::Event> {
    (time(shape), arbitrary_text(), arbitrary_attributes(shape.keys), count32())
        .prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| span::Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        })
        .boxed()
}

fn span_link(shape: Shape) -> Generator<span::Link> {
    (id(shape, 16), id(shape, 8), arbitrary_text(), arbitrary_attributes(shape.keys), count32(), count32())
        .prop_map(|(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| span::Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        })
        .boxed()
}

fn span_status() -> Generator<Status> {
    (arbitrary_text(), 0..3i32).prop_map(|(message, code)| Status { message, code }).boxed()
}

fn arbitrary_span(shape: Shape) -> Generator<Span> {
    let identity = (id(shape, 16), id(shape, 8), id_or_none(shape, 8), arbitrary_text(), count32());
    let body = (arbitrary_text(), 0..6i32, time(shape), 0..10_000_000_000u64, option::of(span_status()));
    let lists = (
        arbitrary_attributes(shape.keys),
        few(span_event(shape), 0..3),
        few(span_link(shape), 0..3),
        (count32(), count32(), count32()),
    );
    (identity, body, lists)
        .prop_map(|(identity, body, lists)| {
            let (trace_id, span_id, parent_span_id, trace_state, flags) = identity;
            let (name, kind, start_time_unix_nano, duration, status) = body;
            let (attributes, events, links, dropped) = lists;
            Span {
                trace_id,
                span_id,
                trace_state,
                parent_span_id,
                flags,
                name,
                kind,
                start_time_unix_nano,
                end_time_unix_nano: start_time_unix_nano.wrapping_add(duration),
                attributes,
                dropped_attributes_count: dropped.0,
                events,
                dropped_events_count: dropped.1,
                links,
                dropped_links_count: dropped.2,
                status,
            }
        })
        .boxed()
}

/// Trace requests of up to 3 resources, 3 scopes each, 4 spans each.
pub fn arbitrary_traces(shape: Shape) -> Generator<ExportTraceServiceRequest> {
    let scopes = (option::of(scope(shape)), few(arbitrary_span(shape), 0..4), arbitrary_text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url })
        .boxed();
    let resources = (option::of(resource(shape)), few(scopes, 0..3), arbitrary_text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url })
        .boxed();
    few(resources, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans }).boxed()
}

fn log_record(shape: Shape) -> Generator<LogRecord> {
    let identity = (id_or_none(shape, 16), id_or_none(shape, 8), count32());
    let body = (
        (time_or_none(shape), time_or_none(shape)),
        0..25i32,
        (arbitrary_text(), arbitrary_text()),
        option::of(arbitrary_value(shape.keys)),
        arbitrary_attributes(shape.keys),
        count32(),
    );
    (identity, body)
        .prop_map(|((trace_id, span_id, flags), body)| {
            let (times, severity_number, (severity_text, event_name), body, attributes, dropped) = body;
            LogRecord {
                time_unix_nano: times.0,
                observed_time_unix_nano: times.1,
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count: dropped,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        })
        .boxed()
}

/// Log requests of up to 3 resources, 3 scopes each, 4 records each.
pub fn arbitrary_logs(shape: Shape) -> Generator<ExportLogsServiceRequest> {
    let scopes = (option::of(scope(shape)), few(log_record(shape), 0..4), arbitrary_text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url })
        .boxed();
    let resources = (option::of(resource(shape)), few(scopes, 0..3), arbitrary_text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url })
        .boxed();
    few(resources, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs }).boxed()
}

fn arbitrary_exemplar(shape: Shape) -> Generator<Exemplar> {
    let value = prop_oneof![
        Just(None),
        arbitrary_double().prop_map(|double| Some(exemplar::Value::AsDouble(double))),
        int().prop_map(|int| Some(exemplar::Value::AsInt(int))),
    ];
    (arbitrary_attributes(shape.keys), time(shape), id_or_none(shape, 8), id_or_none(shape, 16), value)
        .prop_map(|(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        })
        .boxed()
}

/// What all kinds of data point have: attributes, start, time, flags, exemplars (a summary has none).
type PointBase = (Vec<KeyValue>, u64, u64, u32, Vec<Exemplar>);

fn point_base(shape: Shape) -> Generator<PointBase> {
    (
        arbitrary_attributes(shape.keys),
        time_or_none(shape),
        time(shape),
        prop_oneof![4 => Just(0u32), 1 => Just(1), 1 => any::<u32>()],
        few(arbitrary_exemplar(shape), 0..2),
    )
        .boxed()
}

fn number_point(shape: Shape) -> Generator<NumberDataPoint> {
    let value = prop_oneof![
        1 => Just(None),
        3 => arbitrary_double().prop_map(|double| Some(number_data_point::Value::AsDouble(double))),
        3 => int().prop_map(|int| Some(number_data_point::Value::AsInt(int))),
    ];
    (point_base(shape), value)
        .prop_map(|((attributes, start_time_unix_nano, time_unix_nano, flags, exemplars), value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        })
        .boxed()
}

/// Count, bucket counts and bounds of a histogram.
fn explicit_buckets(shape: Shape) -> Generator<(u64, Vec<u64>, Vec<f64>)> {
    let fitting = (vec(0..1000u64, 1..6), 0.001..10.0f64).prop_map(|(counts, step)| {
        let bounds = (1..counts.len()).map(|i| i as f64 * step).collect();
        (counts.iter().sum(), counts, bounds)
    });
    let none = any::<u64>().prop_map(|count| (count, Vec::new(), Vec::new()));
    let valid = prop_oneof![4 => fitting, 1 => none];
    let broken = (any::<u64>(), vec(any::<u64>(), 0..4), vec(arbitrary_double(), 0..4));
    match shape.items {
        Items::Valid => valid.boxed(),
        Items::Any => prop_oneof![1 => valid, 1 => broken].boxed(),
    }
}

fn optional_double() -> Generator<Option<f64>> {
    option::of(arbitrary_double()).boxed()
}

fn histogram_point(shape: Shape) -> Generator<HistogramDataPoint> {
    (point_base(shape), explicit_buckets(shape), (optional_double(), optional_double(), optional_double()))
        .prop_map(|(base, (count, bucket_counts, explicit_bounds), (sum, min, max))| {
            let (attributes, start_time_unix_nano, time_unix_nano, flags, exemplars) = base;
            HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max,
            }
        })
        .boxed()
}

fn side_buckets() -> Generator<Option<Buckets>> {
    let offset = prop_oneof![Just(0), -100..100i32, any::<i32>()];
    option::of((offset, vec(0..1000u64, 0..4)).prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
        .boxed()
}

fn exponential_point(shape: Shape) -> Generator<ExponentialHistogramDataPoint> {
    let off_by = match shape.items {
        Items::Valid => Just(0u64).boxed(),
        Items::Any => prop_oneof![Just(0u64), any::<u64>()].boxed(),
    };
    let counts = (0..10u64, side_buckets(), side_buckets(), off_by);
    let values = (optional_double(), optional_double(), optional_double(), -10..21i32, arbitrary_double());
    (point_base(shape), counts, values)
        .prop_map(|(base, (zero_count, positive, negative, off_by), (sum, min, max, scale, zero_threshold))| {
            let (attributes, start_time_unix_nano, time_unix_nano, flags, exemplars) = base;
            let side = |side: &Option<Buckets>| side.iter().flat_map(|it| &it.bucket_counts).sum::<u64>();
            let count = (zero_count + side(&positive) + side(&negative)).wrapping_add(off_by);
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                scale,
                zero_count,
                positive,
                negative,
                flags,
                exemplars,
                min,
                max,
                zero_threshold,
            }
        })
        .boxed()
}

fn summary_point(shape: Shape) -> Generator<SummaryDataPoint> {
    let quantile = (0.0..=1.0f64, arbitrary_double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (point_base(shape), any::<u64>(), arbitrary_double(), vec(quantile, 0..3))
        .prop_map(|(base, count, sum, quantile_values)| {
            let (attributes, start_time_unix_nano, time_unix_nano, flags, _) = base;
            SummaryDataPoint { attributes, start_time_unix_nano, time_unix_nano, count, sum, quantile_values, flags }
        })
        .boxed()
}

fn metric_data(shape: Shape) -> Generator<metric::Data> {
    prop_oneof![
        few(number_point(shape), 0..4).prop_map(|data_points| metric::Data::Gauge(Gauge { data_points })),
        (few(number_point(shape), 0..4), temporality(shape), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| {
                metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
            }
        ),
        (few(histogram_point(shape), 0..3), temporality(shape)).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (few(exponential_point(shape), 0..3), temporality(shape)).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        few(summary_point(shape), 0..3).prop_map(|data_points| metric::Data::Summary(Summary { data_points })),
    ]
    .boxed()
}

fn arbitrary_metric(shape: Shape) -> Generator<Metric> {
    let data = match shape.items {
        Items::Valid => metric_data(shape).prop_map(Some).boxed(),
        Items::Any => option::weighted(0.95, metric_data(shape)).boxed(),
    };
    (arbitrary_text(), arbitrary_text(), arbitrary_text(), arbitrary_attributes(shape.keys), data)
        .prop_map(|(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data })
        .boxed()
}

/// Metric requests of up to 3 resources, 3 scopes each, 4 metrics each, of all five kinds.
pub fn arbitrary_metrics(shape: Shape) -> Generator<ExportMetricsServiceRequest> {
    let scopes = (option::of(scope(shape)), few(arbitrary_metric(shape), 0..4), arbitrary_text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url })
        .boxed();
    let resources = (option::of(resource(shape)), few(scopes, 0..3), arbitrary_text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url })
        .boxed();
    few(resources, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics }).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Otherwise every property that is built on it would hold of broken items only by luck.
    #[test]
    fn clean_items_are_valid(traces in arbitrary_traces(Shape::CLEAN), metrics in arbitrary_metrics(Shape::CLEAN)) {
        let scopes = traces.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        for span in scopes.flat_map(|scope| &scope.spans) {
            prop_assert!(span.trace_id.len() == 16 && span.trace_id.iter().any(|&byte| byte != 0));
            prop_assert!(span.span_id.len() == 8 && span.span_id.iter().any(|&byte| byte != 0));
            prop_assert!(span.start_time_unix_nano != 0);
            let keys: std::collections::HashSet<_> = span.attributes.iter().map(|pair| &pair.key).collect();
            prop_assert_eq!(keys.len(), span.attributes.len());
        }
        let scopes = metrics.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        for metric in scopes.flat_map(|scope| &scope.metrics) {
            let Some(metric::Data::Histogram(histogram)) = &metric.data else { continue };
            prop_assert!(histogram.aggregation_temporality != 0);
            for point in &histogram.data_points {
                let (counts, bounds) = (&point.bucket_counts, &point.explicit_bounds);
                prop_assert!(point.time_unix_nano != 0);
                prop_assert!(counts.len() == bounds.len() + 1 || counts.is_empty() && bounds.is_empty());
                prop_assert!(counts.is_empty() || counts.iter().sum::<u64>() == point.count);
            }
        }
    }
}
