//! Every way in which a plugin can fail, in one process that goes on: F56, F57, F60, F61, F70, F71.

use std::fmt::Write;

use super::folder;
use crate::harness::{Sluicebox, spans};
use crate::plugins::Client;

/// What the guest does on a span that is called so, and the fault that it is.
const FAULTS: [(&str, &str); 8] = [
    ("unreachable", "trap"),
    ("out-of-bounds", "trap"),
    ("divide", "trap"),
    ("panic", "trap"),
    ("recurse", "trap"),
    ("hog", "memory"),
    ("short", "answer"),
    ("huge", "answer"),
];

/// A stage for each, one behind the other.
fn pipeline(on_error: &str) -> String {
    let mut stages = String::new();
    for (behaviour, _) in FAULTS {
        let _ = write!(
            stages,
            "  {behaviour}:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: {behaviour}, when: {behaviour} }}
    grants: [metrics, state, clock, random]
    limits: {{ memory: 128MiB, deadline: 5s, search_time: 60s }}
    on_error: {on_error}
"
        );
    }
    let names = FAULTS.map(|(behaviour, _)| behaviour).join(", ");
    format!(
        "receivers:
  otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
{stages}exporters:
  file: {{ path: out.jsonl, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [{names}], exporters: [file] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  shards: 1
"
    )
}

#[tokio::test]
async fn f56_f60_f61_f70_f71_every_fault_keeps_its_batch_and_a_new_instance_serves_the_next() {
    let sluicebox = Sluicebox::run_in(folder(&pipeline("pass"), &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    let fault = async |processor: &str, kind: &str| {
        let labels = [format!("processor=\"{processor}\""), format!("fault=\"{kind}\"")];
        sluicebox.metric("sluicebox_plugin_faults_total", &[labels[0].as_str(), labels[1].as_str()]).await
    };
    for round in 1..=2 {
        for (behaviour, kind) in FAULTS {
            assert_eq!(client.send(&["before", behaviour, "after"]).await, 200, "{behaviour}");
            // On the batch and on the record, in each round: the instance of the second round is a new one.
            assert_eq!(fault(behaviour, kind).await, 2.0 * f64::from(round), "{behaviour}");
        }
        assert_eq!(client.send(&["good"]).await, 200);
    }
    let all = sluicebox.metric("sluicebox_plugin_faults_total", &[]).await;
    assert_eq!(all, 2.0 * 2.0 * FAULTS.len() as f64, "no stage faults on what is not its own");
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &[]).await, 0.0);
    let sent = 2 * (3 * FAULTS.len() + 1);
    let lines = sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() >= sent);
    let names: Vec<&str> = spans(&lines).iter().map(|span| span["name"].as_str().unwrap()).collect();
    let round = FAULTS.iter().flat_map(|(behaviour, _)| ["before", *behaviour, "after"]).chain(["good"]);
    assert_eq!(names, round.clone().chain(round).collect::<Vec<_>>(), "what was sent, in its order");
    sluicebox.stop();
}

#[tokio::test]
async fn f56_with_reject_the_client_is_told_to_come_again_and_with_drop_one_record_is_lost() {
    let sluicebox = Sluicebox::run_in(folder(&pipeline("reject"), &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    for (behaviour, _) in FAULTS {
        assert_eq!(client.send(&["before", behaviour, "after"]).await, 503, "{behaviour}");
    }
    let refused = 3.0 * FAULTS.len() as f64;
    assert_eq!(sluicebox.metric("otelcol_receiver_refused_spans_total", &[]).await, refused);
    assert_eq!(sluicebox.metric("otelcol_receiver_accepted_spans_total", &[]).await, 0.0);
    sluicebox.stop();

    let sluicebox = Sluicebox::run_in(folder(&pipeline("drop"), &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    for (behaviour, _) in FAULTS {
        assert_eq!(client.send(&["before", behaviour, "after"]).await, 200, "{behaviour}");
    }
    let lost = sluicebox.metric("sluicebox_dropped_records_total", &["reason=\"plugin_fault\""]).await;
    assert_eq!(lost, FAULTS.len() as f64);
    sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == 2 * FAULTS.len());
    sluicebox.stop();
}

#[tokio::test]
async fn f70_edits_that_do_not_fit_are_a_fault_and_the_record_goes_on_as_it_came() {
    for behaviour in ["undeclared", "row-count", "wrong-type", "out-of-data", "not-utf8", "twice", "huge"] {
        let text = pipeline("pass");
        let (head, tail) = (text.split("processors:\n").next().unwrap(), text.split("exporters:\n").nth(1).unwrap());
        let names = FAULTS.map(|(behaviour, _)| behaviour).join(", ");
        let stage = format!("plugin: ./edits.wasm, config: {{ behaviour: {behaviour}, when: bad }}");
        let limits = "limits: { memory: 128MiB, deadline: 5s, search_time: 60s }";
        let text = format!("{head}processors:\n  edits: {{ {stage}, {limits} }}\nexporters:\n{tail}");
        let text = text.replace(&format!("[{names}]"), "[edits]");
        let sluicebox = Sluicebox::run_in(folder(&text, &["edits"]), &["pipeline.yaml"]);
        assert_eq!(Client::of(&sluicebox, "otlp").send(&["a", "bad", "c"]).await, 200);
        let lines = sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == 3);
        let names: Vec<&str> = spans(&lines).iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["renamed", "bad", "renamed"], "{behaviour}");
        let faults = sluicebox.metric("sluicebox_plugin_faults_total", &["fault=\"answer\""]).await;
        assert_eq!(faults, 2.0, "{behaviour}");
        sluicebox.stop();
    }
}
