//! `/audit`: which rule dropped my span?

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use sluicebox::data::Signal;

use super::folder;
use crate::client::post_protobuf;
use crate::harness::Sluicebox;
use crate::plugins::Client;
use crate::requests::{span, traces};

fn pipeline(audit: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
  drop-probes: {{ plugin: drop, limits: {{ deadline: 5s }}, config: {{ span.name: [probe] }} }}
  guest:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: drop-short-names }}
    grants: [metrics, state, clock, random]
    limits: {{ deadline: 5s, search_time: 60s }}
    quarantine: {{ path: ./poison.jsonl }}
exporters:
  debug:
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [drop-probes, guest], exporters: [debug] }}
  telemetry: {{ endpoint: '127.0.0.1:0', audit: {audit} }}
"
    )
}

async fn audit(sluicebox: &Sluicebox, query: &str) -> Value {
    serde_json::from_str(&sluicebox.admin_get(&format!("/audit{query}")).await).unwrap()
}

#[tokio::test]
async fn the_audit_tells_which_rule_dropped_which_span() {
    let sluicebox = Sluicebox::run_in(folder(&pipeline("{ examples: 8 }"), &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    assert_eq!(client.send(&["probe", "long enough"]).await, 200);
    // The newest come first, and what is of one millisecond in the order of its stages: so not in the same one.
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(client.send(&["poison", "long enough"]).await, 200);

    let report = audit(&sluicebox, "").await;
    assert_eq!((&report["examples_per_stage"], &report["values"]), (&json!(8), &json!(false)));
    let of = |report: &Value| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let examples = report["examples"].as_array().unwrap();
        examples.iter().map(|e| (text(&e["stage"]), text(&e["reason"]), text(&e["record"]["name"]))).collect()
    };
    let owned = |all: &[(&str, &str, &str)]| -> Vec<(String, String, String)> {
        all.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
    };
    assert_eq!(of(&report), owned(&[("guest", "quarantined", "poison"), ("drop-probes", "filtered", "probe")]));
    let mut probe = report["examples"][1].clone();
    assert!(probe["at"].take().as_str().unwrap().ends_with('Z'));
    assert_eq!(
        probe,
        json!({
            "at": null, "pipeline": "traces", "stage": "drop-probes", "plugin": "drop", "version": "0.1.0",
            "reason": "filtered",
            "record": {
                "signal": "traces", "trace_id": "01".repeat(16), "span_id": "0000000000000001", "name": "probe",
            },
            "fields": [{ "field": "span.name", "kind": "text" }],
        })
    );
    assert!(report["examples"][0]["detail"].as_str().unwrap().contains("the plugin trapped"));

    let narrowed = audit(&sluicebox, "?stage=guest&trace_id=01010101010101010101010101010101").await;
    assert_eq!(of(&narrowed), owned(&[("guest", "quarantined", "poison")]));
    assert_eq!(audit(&sluicebox, "?trace_id=02").await["examples"], json!([]));
    let mistyped = reqwest::get(format!("{}/audit?stge=guest", sluicebox.admin())).await.unwrap();
    assert_eq!(mistyped.status(), 400);
    sluicebox.stop();
}

#[tokio::test]
async fn the_audit_tells_why_a_record_was_rejected() {
    let sluicebox = Sluicebox::run_in(folder(&pipeline("{ values: true }"), &["misbehaves"]), &["pipeline.yaml"]);
    let broken = Span { span_id: vec![1, 2], ..span("broken") };
    let body = traces(vec![span("whole"), broken]).encode_to_vec();
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, body).await.status, 200);
    let examples = audit(&sluicebox, "?stage=receiver").await["examples"].clone();
    assert_eq!(examples.as_array().unwrap().len(), 1, "{examples}");
    let example = &examples[0];
    assert_eq!((&example["reason"], &example["record"]["name"]), (&json!("rejected"), &json!("broken")));
    assert_eq!(example["detail"], "span_id must be 8 bytes, not all of them zero");
    sluicebox.stop();
}

#[tokio::test]
async fn the_audit_shows_values_only_where_it_is_told_to() {
    let text = pipeline("{ values: true }");
    let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
    assert_eq!(Client::of(&sluicebox, "otlp").send(&["probe"]).await, 200);
    let report = audit(&sluicebox, "?stage=drop-probes").await;
    assert_eq!(report["examples"][0]["fields"], json!([{ "field": "span.name", "kind": "text", "value": "probe" }]));
    sluicebox.stop();

    let text = pipeline("{ values: true, redact: [span.name] }");
    let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
    assert_eq!(Client::of(&sluicebox, "otlp").send(&["probe"]).await, 200);
    let report = audit(&sluicebox, "?stage=drop-probes").await;
    assert_eq!(report["examples"][0]["fields"], json!([{ "field": "span.name", "kind": "text" }]));
    sluicebox.stop();

    let sluicebox = Sluicebox::run_in(folder(&pipeline("{ examples: 0 }"), &["misbehaves"]), &["pipeline.yaml"]);
    assert_eq!(Client::of(&sluicebox, "otlp").send(&["probe"]).await, 200);
    assert_eq!(audit(&sluicebox, "").await["examples"], json!([]));
    sluicebox.stop();
}

#[tokio::test]
async fn a_flood_of_drops_leaves_few_examples_and_exact_counts() {
    let sluicebox = Sluicebox::run_in(folder(&pipeline("{ examples: 6 }"), &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    for _ in 0..50 {
        assert_eq!(client.send(&["probe"; 200]).await, 200);
    }
    let examples = audit(&sluicebox, "").await["examples"].as_array().unwrap().len();
    assert!((4..=6).contains(&examples), "{examples}");
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &["component=\"drop-probes\""]).await, 10_000.0);

    // A reload keeps the ring of a stage that stays, and forgets that of one that is gone.
    sluicebox.write(
        "pipeline.yaml",
        pipeline("{ examples: 6 }").replace("processors: [drop-probes, guest]", "processors: [guest]"),
    );
    sluicebox.wait_for_log("generation 2 serves");
    assert_eq!(audit(&sluicebox, "").await["examples"], json!([]));
    sluicebox.stop();
}
