//! Samplers in their chain: what the host makes of their probabilities.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use super::*;

fn samples(behaviour: &str) -> StepSpec {
    step("samples", json!({ "behaviour": behaviour }))
}

/// The traces that are kept of a request, by the last bytes of their ids.
async fn kept(rig: &Rig, spans: Vec<Span>) -> BTreeSet<Vec<u8>> {
    let outcome = rig.run(&request(spans)).await.unwrap();
    spans_of(&outcome).into_iter().map(|span| span.trace_id).collect()
}

#[tokio::test]
async fn two_chains_decide_alike_by_trace_id_and_a_lower_rate_keeps_a_part() {
    let (first, second) = (Rig::new(vec![samples("half")]).await, Rig::new(vec![samples("half")]).await);
    let lower = Rig::new(vec![samples("quarter")]).await;
    let spans: Vec<Span> = (1..=400).map(|trace| span(trace, "a")).collect();
    // Other neighbours, another order, and other spans of the same traces.
    let others = spans.iter().rev().map(|s| Span { span_id: vec![7; 8], name: "b".to_owned(), ..s.clone() }).collect();
    let half = kept(&first, spans.clone()).await;
    assert_eq!(half, kept(&second, others).await);
    assert!((150..250).contains(&half.len()), "{}", half.len());
    let quarter = kept(&lower, spans).await;
    assert!((60..140).contains(&quarter.len()) && quarter.is_subset(&half), "{}", quarter.len());
}

/// A span whose trace id ends in 56 bits of randomness that are all `byte`.
fn random(byte: u8, trace_state: &str) -> Span {
    let trace_id = [[1; 9].as_slice(), &[byte; 7]].concat();
    Span { trace_id, trace_state: trace_state.to_owned(), ..span(1, "a") }
}

#[tokio::test]
async fn the_threshold_is_written_and_what_else_stands_in_tracestate_stays() {
    // The guest keeps even rows for certain, odd ones by half.
    let rig = Rig::new(vec![samples("")]).await;
    let spans = vec![
        random(0x00, ""),
        random(0xff, ""),
        random(0x00, "vendor=1,other=a:b;c"),
        random(0xff, "vendor=1,ot=p:x;th:0,other=2"),
    ];
    let states: Vec<_> =
        spans_of(&rig.run(&request(spans)).await.unwrap()).into_iter().map(|s| s.trace_state).collect();
    assert_eq!(states, ["ot=th:0", "ot=th:8", "ot=th:0,vendor=1,other=a:b;c", "ot=th:8;p:x,vendor=1,other=2"]);
}

#[tokio::test]
async fn a_span_that_was_sampled_as_hard_already_is_not_sampled_again() {
    let rig = Rig::new(vec![samples("half")]).await;
    for state in ["ot=th:8", "ot=th:c", "vendor=1,ot=th:e666"] {
        // By its randomness it would go; by its tracestate it survived that already.
        let batch = request(vec![random(0x00, state)]);
        assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch), "{state}");
    }
    let softer = request(vec![random(0x00, "ot=th:4"), random(0x90, "ot=th:4")]);
    let states: Vec<_> = spans_of(&rig.run(&softer).await.unwrap()).into_iter().map(|s| s.trace_state).collect();
    assert_eq!(states, ["ot=th:8"]);
}

#[tokio::test]
async fn explicit_randomness_wins_over_the_trace_id() {
    let rig = Rig::new(vec![samples("half")]).await;
    let spans = vec![random(0x00, "ot=rv:ffffffffffffff"), random(0xff, "ot=rv:00000000000001")];
    let kept: Vec<_> = spans_of(&rig.run(&request(spans)).await.unwrap()).into_iter().map(|s| s.trace_state).collect();
    assert_eq!(kept, ["ot=th:8;rv:ffffffffffffff"]);
}

#[tokio::test]
async fn decisions_are_counted_by_reason_and_drops_when_the_request_is_taken() {
    let rig = Rig::new(vec![samples("")]).await;
    let spans = vec![random(0x00, ""), random(0x00, ""), random(0xff, ""), random(0xff, "")];
    let outcome = rig.run(&request(spans)).await.unwrap();
    let count = |reason: &str, decision: &str| {
        let labels = [format!("reason=\"{reason}\""), format!("decision=\"{decision}\"")];
        rig.metric("sluicebox_sampler_decisions_total", &[&labels[0], &labels[1]])
    };
    assert_eq!((count("every-second", "kept"), count("every-second", "dropped")), (2, 0));
    assert_eq!((count("half", "kept"), count("half", "dropped")), (1, 1));
    assert_eq!(rig.dropped("sampled"), 0);
    rig.chain.settle(&outcome);
    assert_eq!(rig.dropped("sampled"), 1);
}

#[tokio::test]
async fn a_probability_of_nothing_keeps_nothing() {
    let rig = Rig::new(vec![samples("none")]).await;
    assert!(rig.run(&named(["a", "b", "c"])).await.unwrap().payload.is_none());
}

#[tokio::test]
async fn log_records_without_a_trace_are_decided_alike_when_they_come_again() {
    let records = |from: u64| -> Vec<LogRecord> {
        let body = |n: u64| Some(AnyValue { value: Some(any_value::Value::StringValue(format!("line {n}"))) });
        (from..from + 200).map(|n| LogRecord { body: body(n), ..LogRecord::default() }).collect()
    };
    let request = |log_records| -> Bytes {
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
    };
    let logs = || step_with("samples", OnError::Pass, json!({ "behaviour": "half" }), |c| c.signal = Signal::Logs);
    let (first, again) = (
        Rig::try_new(Signal::Logs, vec![logs()]).await.ok().unwrap(),
        Rig::try_new(Signal::Logs, vec![logs()]).await.ok().unwrap(),
    );
    let whole = first.run(&request(records(0))).await.unwrap().payload.unwrap();
    assert!((60..140).contains(&whole.records), "{}", whole.records);
    // The same records in two requests.
    let mut parts = 0;
    for from in [0, 100] {
        let part = records(from).into_iter().take(100).collect();
        parts += again.run(&request(part)).await.unwrap().payload.unwrap().records;
    }
    assert_eq!(whole.records, parts);
}
