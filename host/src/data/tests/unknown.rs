//! What Sluicebox does not know passes through (R45), and what is broken is told (F7, F8, F22).

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

use super::projection;
use crate::data::Signal;
use crate::data::column::Value;
use crate::data::splice::splice;
use crate::data::testing::{Shape, arbitrary_metrics, arbitrary_traces};
use crate::data::walk::{Limits, walk};
use crate::data::wire::{put_bytes_field, put_varint_field};

pub fn span(name: &str) -> Span {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(name.to_owned())) });
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: name.to_owned(),
        attributes: vec![KeyValue { key: "k".to_owned(), value, ..KeyValue::default() }],
        ..Span::default()
    }
}

pub fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// A request of which every message, from the request to the value of an attribute, has fields that nobody knows.
fn with_unknown_fields(name: &str) -> Vec<u8> {
    let unknown = |mut message: Vec<u8>| {
        put_varint_field(&mut message, 1000, 7);
        put_bytes_field(&mut message, 500, b"unknown");
        message
    };
    let field = |number, content: &[u8]| {
        let mut out = Vec::new();
        put_bytes_field(&mut out, number, content);
        out
    };
    let value = unknown(field(1, name.as_bytes()));
    let pair = unknown([field(1, b"k"), field(2, &value)].concat());
    let span = [field(1, &[7; 16]), field(2, &[9; 8]), field(5, name.as_bytes()), field(9, &pair)].concat();
    let scope_spans = unknown(field(2, &unknown(span)));
    unknown(field(1, &unknown(field(2, &scope_spans))))
}

#[test]
fn r45_unknown_fields_are_preserved_beside_an_edit() {
    let bytes = Bytes::from(with_unknown_fields("old"));
    let mut batch = walk(&bytes, &projection(Signal::Traces, &["span.name"]), Limits::default()).unwrap();
    batch.set(0, 0, Value::Text(b"renamed"));
    let got = splice(&batch).unwrap().bytes;
    let expected = {
        let mut edited = with_unknown_fields("old");
        let at = edited.windows(5).position(|window| window == [0x2a, 3, b'o', b'l', b'd']).unwrap();
        edited.splice(at + 1..at + 5, [7].into_iter().chain(*b"renamed"));
        // The lengths of span, scope and resource envelopes grow by four; all are still one byte or two.
        edited
    };
    assert_eq!(got.len(), expected.len());
    let count = |bytes: &[u8]| bytes.windows(7).filter(|window| *window == b"unknown").count();
    assert_eq!(count(&got), 6);
    assert_eq!(
        ExportTraceServiceRequest::decode(got).unwrap().resource_spans[0].scope_spans[0].spans[0].name,
        "renamed"
    );
}

#[test]
fn r43_flag_bits_are_forwarded_unchanged() {
    let mut flagged = span("a");
    flagged.flags = 0xffff_fc01;
    let bytes = Bytes::from(request(vec![flagged.clone(), span("b")]).encode_to_vec());
    let mut batch = walk(&bytes, &projection(Signal::Traces, &["span.name"]), Limits::default()).unwrap();
    batch.drop_row(1);
    let rest = ExportTraceServiceRequest::decode(splice(&batch).unwrap().bytes).unwrap();
    assert_eq!(rest, request(vec![flagged]));
}

#[test]
fn f08_text_that_is_not_utf8_is_malformed() {
    let sent = request(vec![span("aaaa")]).encode_to_vec();
    let broken: Vec<u8> = sent.iter().map(|byte| if *byte == b'a' { 0xff } else { *byte }).collect();
    let error = walk(&Bytes::from(broken), &projection(Signal::Traces, &[]), Limits::default()).unwrap_err();
    assert_eq!(error.what, "text is not valid UTF-8");
}

#[test]
fn f06_values_nested_too_deep_are_malformed_without_a_stack_overflow() {
    let mut value = Vec::new();
    for _ in 0..100_000 {
        let mut array = Vec::with_capacity(value.len() + 16);
        put_bytes_field(&mut array, 1, &value);
        value.clear();
        put_bytes_field(&mut value, 5, &array);
        if value.len() > 60_000 {
            break;
        }
    }
    let mut pair = Vec::new();
    put_bytes_field(&mut pair, 1, b"k");
    put_bytes_field(&mut pair, 2, &value);
    let mut message = pair;
    for number in [9, 2, 2, 1] {
        let mut outer = Vec::new();
        put_bytes_field(&mut outer, number, &message);
        message = outer;
    }
    let error = walk(&Bytes::from(message), &projection(Signal::Traces, &[]), Limits::default()).unwrap_err();
    assert_eq!(error.what, "a value is nested deeper than max_value_depth allows");
}

#[test]
fn f22_a_request_of_another_signal_is_malformed() {
    let bytes = Bytes::from(request(vec![span("a")]).encode_to_vec());
    for signal in [Signal::Metrics, Signal::Logs] {
        assert!(walk(&bytes, &projection(signal, &[]), Limits::default()).is_err(), "{signal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Also: whatever the walk takes, the splice makes something of that the walk takes again.
    #[test]
    fn f07_random_and_mutated_bytes_are_taken_or_told(
        request in arbitrary_traces(Shape::WILD), metrics in arbitrary_metrics(Shape::WILD),
        at in any::<prop::sample::Index>(), byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for (signal, mut bytes) in [
            (Signal::Traces, request.encode_to_vec()),
            (Signal::Metrics, metrics.encode_to_vec()),
            (Signal::Logs, noise),
        ] {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let paths = ["attributes[*]", "resource.attributes[\"service.name\"]", "scope.name"];
            let projection = projection(signal, &paths);
            let Ok(mut batch) = walk(&Bytes::from(bytes), &projection, Limits::default()) else { continue };
            for scope in 0..batch.layout.scopes.len() {
                batch.set(2, scope as u32, Value::Text(b"edited"));
            }
            if batch.rows() > 0 {
                batch.drop_row(0);
            }
            if let Some(spliced) = splice(&batch) {
                let again = walk(&spliced.bytes, &projection, Limits::default()).unwrap();
                prop_assert_eq!(again.rows() as u64, spliced.records);
            }
        }
    }
}
