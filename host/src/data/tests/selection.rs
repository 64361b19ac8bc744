//! What is dropped, and what is not even copied.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::{projection, spliced, walked};
use crate::data::Signal;
use crate::data::splice::splice;
use crate::data::walk::{Limits, walk};

use super::unknown::{request, span};

#[test]
fn a_request_that_nobody_changes_is_not_copied() {
    let bytes = Bytes::from(request(vec![span("a"), span("b")]).encode_to_vec());
    let paths = [r#"span.attributes["k"]"#, "span.name", "attributes[*]", "resource.attributes[*]"];
    let mut batch = walk(&bytes, &projection(Signal::Traces, &paths), Limits::default()).unwrap();
    batch.retain(&[0b11]);
    let spliced = splice(&batch).unwrap();
    assert_eq!(spliced.bytes.as_ptr(), bytes.as_ptr());
    assert_eq!((spliced.bytes.len(), spliced.records), (bytes.len(), 2));
}

#[test]
fn e31_an_envelope_whose_records_all_went_goes_too() {
    let mut two = request(vec![span("a")]);
    two.resource_spans.extend(request(vec![span("b")]).resource_spans);
    let mut batch = walked(Signal::Traces, &two, &[]);
    batch.drop_row(0);
    let rest: ExportTraceServiceRequest = spliced(&batch);
    assert_eq!(rest, request(vec![span("b")]));
}

#[test]
fn nothing_is_left_when_all_records_went() {
    let mut batch = walked(Signal::Traces, &request(vec![span("a"), span("b")]), &[]);
    batch.retain(&[0]);
    assert!(splice(&batch).is_none());
}

#[test]
fn r44_an_envelope_that_came_empty_stays_as_it_came() {
    let mut sent = request(vec![span("a"), span("b")]);
    sent.resource_spans.insert(0, Default::default());
    let mut batch = walked(Signal::Traces, &sent, &[]);
    batch.drop_row(0);
    let rest: ExportTraceServiceRequest = spliced(&batch);
    assert_eq!(rest.resource_spans.len(), 2);
    assert_eq!(rest.resource_spans[1], request(vec![span("b")]).resource_spans[0]);
}

#[test]
fn a_plugin_is_given_the_relations_of_the_levels_that_it_reads() {
    let paths = ["span.name", r#"resource.attributes["service.name"]"#, "scope.name"];
    let batch = walked(Signal::Traces, &request(vec![span("a"), span("b")]), &paths);
    let all = batch.view(&[0, 1, 2]).links;
    assert_eq!((all.resource_of, all.scope_of), (&[0, 0][..], &[0, 0][..]));
    let own = batch.view(&[0, 2]).links;
    assert_eq!((own.resource_of, own.scope_of), (&[][..], &[0, 0][..]));
}
