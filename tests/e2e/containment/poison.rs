//! F79: the record that a plugin cannot take is found and set apart; all others go through their stage.

use std::fs;

use super::{folder, json_lines};
use crate::harness::{Sluicebox, spans};
use crate::plugins::Client;

/// One stage, whose guest traps on a span called `poison` and drops spans with names of less than five bytes.
fn pipeline(stage: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
  guest:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: drop-short-names }}
    grants: [metrics, state, clock, random]
    limits: {{ deadline: 5s, search_time: 60s }}
    {stage}
exporters:
  file: {{ path: out.jsonl, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [guest], exporters: [file] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  shards: 1
"
    )
}

/// 300 names of which the ones at `poison` are poison, every third of the others is short.
fn names(poison: &[usize]) -> Vec<&'static str> {
    let name = |row| match row {
        row if poison.contains(&row) => "poison",
        row if row % 3 == 0 => "tiny",
        _ => "long enough",
    };
    (0..300).map(name).collect()
}

#[tokio::test]
async fn f79_poison_is_quarantined_alone_with_plugin_version_and_error_and_can_be_replayed() {
    let text = pipeline("quarantine: { path: ./poison.jsonl }");
    let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    let poison = [0, 7, 150, 299];
    let sent = names(&poison);
    let (long, short) = (sent.iter().filter(|n| n.len() > 6).count(), sent.iter().filter(|n| **n == "tiny").count());
    const BATCHES: usize = 5;
    for _ in 0..BATCHES {
        assert_eq!(client.send(&sent).await, 200);
        // Whoever hears that is told so after the records are on disk.
    }
    assert_eq!(json_lines(&sluicebox.path("poison.jsonl")).len(), BATCHES * poison.len());
    let lines = sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == BATCHES * long);
    assert!(spans(&lines).iter().all(|span| span["name"] == "long enough"));

    let dropped = async |reason: &str| {
        let labels = ["component=\"guest\"", &format!("reason=\"{reason}\"")];
        sluicebox.metric("sluicebox_dropped_records_total", &labels).await as usize
    };
    assert_eq!(dropped("filtered").await, BATCHES * short);
    assert_eq!(dropped("quarantined").await, BATCHES * poison.len());
    assert_eq!(dropped("plugin_fault").await, 0);
    let accepted = sluicebox.metric("otelcol_receiver_accepted_spans_total", &[]).await as usize;
    assert_eq!(accepted, BATCHES * sent.len());
    let written = sluicebox.metric("sluicebox_dead_letter_records_total", &["outcome=\"written\""]).await as usize;
    assert_eq!(written, BATCHES * poison.len());
    assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &["fault=\"open\""]).await, 0.0);
    let status = sluicebox.status().await;
    assert_eq!(status["accounting"]["traces"]["dropped_by"]["guest"]["quarantined"], BATCHES * poison.len());
    let told = sluicebox.wait_for_log("4 of 300 records make it fault, and are in ");
    assert!(told.contains("the plugin trapped"), "{told}");

    let letters = json_lines(&sluicebox.path("poison.jsonl"));
    for letter in &letters {
        let [span] = spans(std::slice::from_ref(letter))[..] else { panic!("{letter}") };
        let note = &letter["sluicebox"];
        assert_eq!((&span["name"], &note["component"]), (&"poison".into(), &"guest".into()));
        assert_eq!((&note["plugin"], &note["version"]), (&"misbehaves".into(), &"0.1.0".into()));
        assert!(note["error"].as_str().unwrap().starts_with("the plugin trapped"), "{note}");
    }
    let (_, old) = sluicebox.stop();

    // The dead letters go through a pipeline without the plugin.
    let text = "receivers: { replay: { paths: [poison.jsonl] } }
exporters: { file: { path: saved.jsonl } }
service: { pipelines: { traces: { receivers: [replay], exporters: [file] } }, telemetry: { endpoint: '127.0.0.1:0' } }
";
    let again = folder(text, &[]);
    fs::copy(old.path().join("poison.jsonl"), again.path().join("poison.jsonl")).unwrap();
    let (status, log, again) = Sluicebox::spawn_in(again, &["pipeline.yaml"]).wait();
    assert!(status.success(), "{}", log.join("\n"));
    let saved = json_lines(&again.path().join("saved.jsonl"));
    assert_eq!(spans(&saved).len(), letters.len());
    assert!(spans(&saved).iter().all(|span| span["name"] == "poison"));
}

#[tokio::test]
async fn f79_without_a_quarantine_poison_alone_follows_on_error() {
    let sent = names(&[100]);
    let long = sent.iter().filter(|name| name.len() > 6).count();
    for (on_error, poison, lost) in [("pass", 1, 0.0), ("drop", 0, 1.0)] {
        let text = pipeline(&format!("on_error: {on_error}"));
        let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
        assert_eq!(Client::of(&sluicebox, "otlp").send(&sent).await, 200);
        let lines = sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == long + poison);
        assert_eq!(spans(&lines).iter().filter(|span| span["name"] == "poison").count(), poison, "{on_error}");
        let dropped = sluicebox.metric("sluicebox_dropped_records_total", &["reason=\"plugin_fault\""]).await;
        assert_eq!(dropped, lost, "{on_error}");
        sluicebox.stop();
    }
}

#[tokio::test]
async fn f63_a_plugin_that_fails_on_everything_is_no_matter_for_the_quarantine_and_fills_no_log() {
    let text = pipeline("quarantine: { path: ./poison.jsonl }")
        .replace("behaviour: drop-short-names", "behaviour: unreachable, when: long enough");
    let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    for _ in 0..300 {
        assert_eq!(client.send(&["long enough"; 100]).await, 200);
    }
    // Everything passed, as `on_error` says.
    sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == 30_000);
    assert_eq!(json_lines(&sluicebox.path("poison.jsonl")).len(), 0);
    assert_eq!(sluicebox.metric("sluicebox_plugin_searches_total", &["outcome=\"nothing\""]).await, 1.0);
    assert!(sluicebox.metric("sluicebox_plugin_faults_total", &["fault=\"open\""]).await > 200.0);
    let (log, _) = sluicebox.stop();
    let warnings = log.iter().filter(|line| line.contains("the plugin trapped")).count();
    assert!((1..=30).contains(&warnings), "{warnings} lines");
}

#[tokio::test]
async fn f77_warnings_about_faults_are_limited_and_the_unsaid_ones_counted() {
    // With a good batch in between, the breaker stays closed and every bad batch is a fault.
    let text = pipeline("on_error: pass").replace("behaviour: drop-short-names", "behaviour: refuse, when: bad");
    let sluicebox = Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    let begun = std::time::SystemTime::now();
    for _ in 0..400 {
        assert_eq!(client.send(&["bad"]).await, 200);
    }
    // The next line tells how many went unsaid.
    let unsaid = async |number: usize| {
        client.send(&["bad"]).await;
        sluicebox.log().iter().any(|line| line.contains("unsaid=")).then_some(number)
    };
    let mut said = None;
    for number in 0..6_000 {
        said = unsaid(number).await;
        if said.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(said.is_some(), "no line told how many were left out");
    let seconds = begun.elapsed().unwrap().as_secs_f64();
    let (log, _) = sluicebox.stop();
    let warnings = log.iter().filter(|line| line.contains("the plugin refused the batch")).count();
    assert!(warnings as f64 <= 14.0 + 2.0 * seconds, "{warnings} lines in {seconds} s");
}
