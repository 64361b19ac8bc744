//! What the rules of OTLP/JSON allow, each way that clients use it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::data::wire::put_bytes_field;

fn span(members: &str) -> Span {
    let mut request: ExportTraceServiceRequest = decoded(Signal::Traces, &span_json(members));
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

fn log(members: &str) -> LogRecord {
    let mut request: ExportLogsServiceRequest = decoded(Signal::Logs, &log_json(members));
    request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
}

fn metric(members: &str) -> Metric {
    let mut request: ExportMetricsServiceRequest = decoded(Signal::Metrics, &metric_json(members));
    request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0)
}

/// A gauge's only point.
fn point(members: &str) -> NumberDataPoint {
    match metric(&format!(r#""gauge":{{"dataPoints":[{{{members}}}]}}"#)).data {
        Some(metric::Data::Gauge(mut gauge)) => gauge.data_points.remove(0),
        other => panic!("{other:?}"),
    }
}

/// The value that a log body `{members}` is.
fn value(members: &str) -> Option<Value> {
    log(&format!(r#""body":{{{members}}}"#)).body.unwrap().value
}

#[test]
fn r31_ids_are_hex_of_any_case_everywhere() {
    let ids = r#""traceId":"5B8efFF798038103D269B633813fC60C","spanId":"eeE19B7EC3C1B174""#;
    let (trace_id, span_id) = (0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128, 0xeee1_9b7e_c3c1_b174_u64);
    let (trace_id, span_id) = (trace_id.to_be_bytes().to_vec(), span_id.to_be_bytes().to_vec());
    let span = span(&format!(r#"{ids},"parentSpanId":"EEE19b7ec3c1b174","links":[{{{ids}}}]"#));
    assert_eq!((&span.trace_id, &span.span_id, &span.parent_span_id), (&trace_id, &span_id, &span_id));
    assert_eq!((&span.links[0].trace_id, &span.links[0].span_id), (&trace_id, &span_id));
    let log = log(ids);
    assert_eq!((&log.trace_id, &log.span_id), (&trace_id, &span_id));
    let exemplar = &point(&format!(r#""exemplars":[{{{ids}}}]"#)).exemplars[0];
    assert_eq!((&exemplar.trace_id, &exemplar.span_id), (&trace_id, &span_id));
}

#[test]
fn r31_the_length_of_an_id_is_not_judged_here() {
    assert_eq!(span(r#""traceId":"","spanId":"0a""#).span_id, [10]);
}

#[test]
fn r32_enums_are_numbers() {
    assert_eq!(span(r#""kind":3,"status":{"code":2}"#).kind, 3);
    assert_eq!(span(r#""kind":2.0"#).kind, 2);
    assert_eq!(log(r#""severityNumber":99"#).severity_number, 99, "a number of a later version is kept");
}

#[test]
fn r33_unknown_names_are_ignored_at_any_depth() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let huge = "\\u0041".repeat(100_000);
    let known = format!(
        r#"{{"x":{deep},"resourceSpans":[{{"y":"{huge}","resource":{{"z":[1e999,{{"a":null}}]}},"scopeSpans":[{{"scope":
        {{"q":true}},"spans":[{{"name":"kept","attributes":[{{"key":"k","value":{{"newValue":{{}},"intValue":5}},"t":0}}],
        "status":{{"v":[]}}}}]}}]}}],"resourceMetrics":-0.5E-7}}"#
    );
    let request: ExportTraceServiceRequest = decoded(Signal::Traces, &known);
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "kept");
    assert_eq!(span.attributes[0].value.as_ref().unwrap().value, Some(Value::IntValue(5)));
}

#[test]
fn r34_names_are_lower_camel_case_only() {
    let span = span(r#""name":"n","trace_id":"zz","Kind":"SERVER","start_time_unix_nano":{},"kind":1"#);
    assert_eq!(span, Span { name: "n".to_owned(), kind: 1, ..Span::default() });
}

#[test]
fn r34_an_escaped_name_is_the_same_name() {
    assert_eq!(span(r#""n\u0061me":"x""#).name, "x");
}

#[test]
fn r35_integers_are_numbers_or_strings() {
    for (json, time) in [
        ("18446744073709551615", u64::MAX),
        ("\"18446744073709551615\"", u64::MAX),
        ("1544712660000000001", 1_544_712_660_000_000_001),
        ("1.5e18", 1_500_000_000_000_000_000),
        ("\"1e3\"", 1000),
        ("1.0", 1),
    ] {
        assert_eq!(span(&format!(r#""startTimeUnixNano":{json}"#)).start_time_unix_nano, time, "{json}");
    }
    for (json, int) in [("9007199254740993", 9_007_199_254_740_993), ("\"-9223372036854775808\"", i64::MIN)] {
        assert_eq!(value(&format!(r#""intValue":{json}"#)), Some(Value::IntValue(int)));
        assert_eq!(point(&format!(r#""asInt":{json}"#)).value, Some(number_data_point::Value::AsInt(int)));
    }
    let span = span(r#""flags":"257","droppedEventsCount":"4294967295","droppedLinksCount":7"#);
    assert_eq!((span.flags, span.dropped_events_count, span.dropped_links_count), (257, u32::MAX, 7));
}

#[test]
fn r35_counts_and_scales_of_histograms_keep_their_values() {
    let json = r#""exponentialHistogram":{"dataPoints":[{"count":"9","scale":"-3","positive":{"offset":-2,
        "bucketCounts":["18446744073709551615",1,1e1]}}]}"#;
    let Some(metric::Data::ExponentialHistogram(histogram)) = metric(json).data else { panic!("{json}") };
    let point = &histogram.data_points[0];
    let positive = point.positive.as_ref().unwrap();
    assert_eq!((point.count, point.scale, positive.offset), (9, -3, -2));
    assert_eq!(positive.bucket_counts, [u64::MAX, 1, 10]);
}

#[test]
fn r36_bytes_are_base64_of_either_alphabet() {
    for json in ["+/8=", "+/8", "-_8=", "-_8", "+\\/8="] {
        let expected = Some(Value::BytesValue(vec![0xfb, 0xff]));
        assert_eq!(value(&format!(r#""bytesValue":"{json}""#)), expected, "{json}");
    }
    assert_eq!(value(r#""bytesValue":"""#), Some(Value::BytesValue(Vec::new())));
}

#[test]
fn r36_doubles_that_json_has_no_number_for_are_strings() {
    let double = |json: &str| match value(&format!(r#""doubleValue":{json}"#)) {
        Some(Value::DoubleValue(double)) => double,
        other => panic!("{other:?}"),
    };
    assert!(double("\"NaN\"").is_nan());
    assert_eq!(double("\"Infinity\""), f64::INFINITY);
    assert_eq!(double("\"-Infinity\""), f64::NEG_INFINITY);
    assert_eq!(double("\"1.5e3\""), 1500.0);
    assert_eq!(double("-0.0").to_bits(), (-0.0f64).to_bits());
    assert_eq!(double("5"), 5.0);
    assert_eq!(double("1e-400"), 0.0);
    assert!(matches!(point(r#""asDouble":"NaN""#).value, Some(number_data_point::Value::AsDouble(it)) if it.is_nan()));
    let json = r#""histogram":{"dataPoints":[{"explicitBounds":[0,"Infinity"],"sum":"NaN","min":0}]}"#;
    let Some(metric::Data::Histogram(histogram)) = metric(json).data else { panic!("{json}") };
    let point = &histogram.data_points[0];
    assert_eq!(point.explicit_bounds, [0.0, f64::INFINITY]);
    assert!(point.sum.is_some_and(f64::is_nan));
    assert_eq!((point.min, point.max), (Some(0.0), None), "a minimum of 0 is not no minimum");
}

#[test]
fn r36_null_is_the_default_of_every_kind() {
    let nulls = r#""traceId":null,"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"status":null"#;
    assert_eq!(span(nulls), Span::default());
    assert_eq!(value(r#""stringValue":null,"intValue":7,"arrayValue":null"#), Some(Value::IntValue(7)));
    assert_eq!(log(r#""body":null"#).body, None);
    assert_eq!(decoded::<ExportLogsServiceRequest>(Signal::Logs, r#"{"resourceLogs":null}"#).resource_logs, []);
}

#[test]
fn r41_every_kind_of_value_is_accepted() {
    assert_eq!(log(r#""body":{}"#).body, Some(AnyValue { value: None }));
    assert_eq!(log(r#""attributes":[{"key":"k"}]"#).attributes[0].value, None);
    assert_eq!(value(r#""stringValue":"""#), Some(Value::StringValue(String::new())));
    assert_eq!(value(r#""boolValue":false"#), Some(Value::BoolValue(false)));
    assert_eq!(value(r#""intValue":0"#), Some(Value::IntValue(0)));
    // The collector writes empty lists so.
    assert_eq!(value(r#""arrayValue":{}"#), Some(Value::ArrayValue(ArrayValue::default())));
    assert_eq!(value(r#""kvlistValue":{"values":[]}"#), Some(Value::KvlistValue(KeyValueList::default())));
    let values = vec![
        AnyValue { value: Some(Value::StringValue("a".to_owned())) },
        AnyValue { value: None },
        AnyValue { value: None },
        AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: None }] })) },
    ];
    let json = r#""arrayValue":{"values":[{"stringValue":"a"},{},null,{"arrayValue":{"values":[{}]}}]}"#;
    assert_eq!(value(json), Some(Value::ArrayValue(ArrayValue { values })));
}

#[test]
fn r41_an_attribute_is_the_same_in_every_form() {
    let pair = |key: &str, value| KeyValue { key: key.to_owned(), value: Some(AnyValue { value }), key_strindex: 0 };
    let text = |key: &str, text: &str| pair(key, Some(Value::StringValue(text.to_owned())));
    let int = |key: &str, int| pair(key, Some(Value::IntValue(int)));
    let (long, huge) = ("x".repeat(100), "y".repeat(300));
    for (json, expected) in [
        (r#"{"key":"k","value":{"stringValue":"v"}}"#.to_owned(), text("k", "v")),
        (r#"{"value":{"stringValue":"v"},"key":"k"}"#.to_owned(), text("k", "v")),
        (r#"{ "key" : "k", "value" : { "stringValue" : "v" } }"#.to_owned(), text("k", "v")),
        (r#"{"key":"k","value":{"stringValue":"v"},"keyStrindex":0}"#.to_owned(), text("k", "v")),
        (r#"{"key":"k","value":{"stringValue":"v","x":1}}"#.to_owned(), text("k", "v")),
        (r#"{"key":"k","value":{"stringValue":"v"},"value":{"stringValue":"w"}}"#.to_owned(), text("k", "w")),
        (r#"{"key":"","value":{"stringValue":""}}"#.to_owned(), text("", "")),
        (r#"{"key":"k","value":{"stringValue":"\"é"}}"#.to_owned(), text("k", "\"é")),
        (format!(r#"{{"key":"k","value":{{"stringValue":"{long}"}}}}"#), text("k", &long)),
        (format!(r#"{{"key":"{long}","value":{{"stringValue":"{long}"}}}}"#), text(&long, &long)),
        (format!(r#"{{"key":"k","value":{{"stringValue":"{huge}"}}}}"#), text("k", &huge)),
        (r#"{"key":"k","value":{"intValue":"-1"}}"#.to_owned(), int("k", -1)),
        (r#"{"key":"k","value":{"intValue":0}}"#.to_owned(), int("k", 0)),
        (r#"{"key":"k","value":{"intValue":"9223372036854775807"}}"#.to_owned(), int("k", i64::MAX)),
        (format!(r#"{{"key":"{long}","value":{{"intValue":"300"}}}}"#), int(&long, 300)),
    ] {
        assert_eq!(log(&format!(r#""attributes":[{json},{json}]"#)).attributes, [expected.clone(), expected], "{json}");
    }
    let error =
        refused(Signal::Logs, log_json(r#""attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]"#));
    assert!(error.contains("attributes[0].value.intValue: out of range"), "{error}");
}

#[test]
fn f09_a_name_that_comes_twice_counts_as_in_protobuf() {
    let twice = r#""name":"a","kind":2,"name":"b","kind":0,"attributes":[{"key":"x"}],"attributes":[{"key":"y"}],
        "status":{"message":"m"},"status":{"code":1}"#;
    let span = span(twice);
    assert_eq!((span.name.as_str(), span.kind), ("b", 0));
    assert_eq!(span.attributes.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    let status = span.status.unwrap();
    assert_eq!((status.message.as_str(), status.code), ("m", 1));
    assert_eq!(value(r#""intValue":1,"intValue":2"#), Some(Value::IntValue(2)));
}

#[test]
fn e30_what_is_written_keeps_to_the_rules() {
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"intValue":"0"}},{"key":"b",
        "value":{"arrayValue":{}}},{"key":"c","value":{}},{"key":"d","value":{"doubleValue":0.0}},{"key":"e","value":
        {"stringValue":""}},{"key":"f","value":{"boolValue":false}},{"key":"g","value":{"bytesValue":"+/8="}}]},
        "scopeSpans":[{"scope":{},"spans":[{"traceId":"AB","spanId":"","flags":768,"name":"é\u0001\"😀/","kind":0,
        "startTimeUnixNano":5,"status":{"code":2}}]}]}]}"#;
    let request: ExportTraceServiceRequest = decoded(Signal::Traces, json);
    let expected = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"intValue":"0"}},"#,
        r#"{"key":"b","value":{"arrayValue":{}}},{"key":"c","value":{}},{"key":"d","value":{"doubleValue":0.0}},"#,
        r#"{"key":"e","value":{"stringValue":""}},{"key":"f","value":{"boolValue":false}},"#,
        r#"{"key":"g","value":{"bytesValue":"+/8="}}]},"#,
        r#""scopeSpans":[{"scope":{},"spans":[{"traceId":"ab","flags":768,"name":"é\u0001\"😀/","#,
        r#""startTimeUnixNano":"5","status":{"code":2}}]}]}]}"#,
    );
    assert_eq!(encoded(Signal::Traces, &request), expected);
}

#[test]
fn e30_points_are_written_with_what_is_there() {
    let json = concat!(
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","histogram":{"dataPoints":[{"count":"3","#,
        r#""sum":0.0,"bucketCounts":["1","2"],"explicitBounds":[0.1],"exemplars":[{"asInt":"-1","spanId":"0f"}],"#,
        r#""min":"NaN","max":"-Infinity"}],"aggregationTemporality":2}},{"exponentialHistogram":{"dataPoints":"#,
        r#"[{"scale":-2,"positive":{"offset":-1,"bucketCounts":["0"]},"negative":{},"zeroThreshold":1e-300}]}}"#,
        r#"]}]}]}"#,
    );
    let request: ExportMetricsServiceRequest = decoded(Signal::Metrics, json);
    assert_eq!(encoded(Signal::Metrics, &request), json);
}

/// The message as a field of that number of another message, and so on.
fn wrapped<const N: usize>(message: Vec<u8>, numbers: [u32; N]) -> Vec<u8> {
    numbers.into_iter().fold(message, |inner, number| {
        let mut outer = Vec::new();
        put_bytes_field(&mut outer, number, &inner);
        outer
    })
}

#[test]
fn e30_unknown_fields_and_groups_are_left_out_and_repeats_count_as_in_protobuf() {
    let first_part = [0x0a, 0x01, b'a']; // stringValue
    let second_part = [
        &[0x18, 0x05][..],                  // intValue: the later member of the oneof counts
        &[0xfa, 0x01, 0x02, 9, 9],          // field 31
        &[0x9b, 0x06, 0x08, 1, 0x9c, 0x06], // group 99
    ]
    .concat();
    let mut record = vec![0x10, 3, 0x10, 9]; // severityNumber, twice
    put_bytes_field(&mut record, 5, &first_part);
    put_bytes_field(&mut record, 5, &second_part);
    let mut out = Vec::new();
    encode(Signal::Logs, &wrapped(record, [2, 2, 1]), &mut out).unwrap();
    let expected =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9,"body":{"intValue":"5"}}]}]}]}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    encode(Signal::Logs, &[0x9b, 0x06, 0x08, 1, 0x9c, 0x06], &mut out).unwrap();
    assert_eq!(out, b"{}");
}

#[test]
fn e30_lists_of_numbers_are_read_packed_and_not() {
    // A histogram point: bucketCounts 1 unpacked, then 2 and 3 packed; explicitBounds 0.5 unpacked.
    let mut point = vec![0x31, 1, 0, 0, 0, 0, 0, 0, 0, 0x32, 16, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x39];
    point.extend(0.5f64.to_le_bytes());
    let request = wrapped(point, [1, 9, 2, 2, 1]);
    let mut out = Vec::new();
    encode(Signal::Metrics, &request, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#"{"bucketCounts":["1","2","3"],"explicitBounds":[0.5]}"#), "{text}");
}
