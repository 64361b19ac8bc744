//! What a dead-letter file holds, and what its writers hear.

use std::path::Path;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

use super::*;
use crate::data::json::{JsonLimits, decode};

fn request(name: &str) -> Bytes {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.to_owned(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn why() -> Why {
    Why {
        component: "drop-probes".to_owned(),
        plugin: Some("drop".to_owned()),
        version: Some("0.1.0".to_owned()),
        reason: "quarantined",
        error: "it trapped:\n\"here\"".to_owned(),
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn counted(metrics: &Metrics, outcome: &'static str) -> u64 {
    let labels = DeadLetterLabels { signal: Signal::Traces, component: why().component, outcome };
    metrics.dead_letter_records.get_or_create_owned(&labels).get()
}

#[tokio::test]
async fn a_line_tells_why_and_reads_back_as_the_request_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let metrics = Metrics::default();
    let dead = DeadLetter::open(&path, Limits::default(), &metrics).unwrap();
    dead.write(Signal::Traces, request("a"), 1, &why()).await.unwrap();
    dead.write(Signal::Traces, Bytes::new(), 0, &why()).await.unwrap();

    let lines = lines(&path);
    let note: Value = serde_json::from_str::<Value>(&lines[0]).unwrap()["sluicebox"].clone();
    assert_eq!(note["component"], "drop-probes");
    assert_eq!((&note["plugin"], &note["version"]), (&"drop".into(), &"0.1.0".into()));
    assert_eq!((&note["reason"], &note["records"]), (&"quarantined".into(), &1.into()));
    assert_eq!(note["error"], "it trapped:\\n\"here\"");
    assert!(note["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(decode(Signal::Traces, lines[0].as_bytes(), &JsonLimits::default()).unwrap(), request("a"));
    assert_eq!(decode(Signal::Traces, lines[1].as_bytes(), &JsonLimits::default()).unwrap(), b"");
    assert_eq!((lines.len(), counted(&metrics, "written")), (2, 1));
}

#[tokio::test]
async fn many_at_once_are_all_there_when_they_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let dead = DeadLetter::open(&path, Limits::default(), &Metrics::default()).unwrap();
    let writes = (0..3 * WAITING_MAX).map(|number| {
        let dead = dead.clone();
        tokio::spawn(async move { dead.write(Signal::Traces, request(&number.to_string()), 1, &why()).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let text = lines(&path).join("\n");
    assert!((0..3 * WAITING_MAX).all(|number| text.contains(&format!("\"name\":\"{number}\""))));
}

#[tokio::test]
async fn a_path_has_one_writer_and_the_newest_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let (set, metrics) = (DeadLetters::default(), Metrics::default());
    let first = set.open(&path, Limits::default(), &metrics).unwrap();
    first.write(Signal::Traces, request("first"), 1, &why()).await.unwrap();
    let second = set.open(&path, Limits { max_bytes: 1, max_backups: 1 }, &metrics).unwrap();
    assert!(Arc::ptr_eq(&first.inner, &second.inner));
    for name in ["second", "third"] {
        first.write(Signal::Traces, request(name), 1, &why()).await.unwrap();
    }
    // Every line is over the limit now: one in the file, one kept beside it, the oldest deleted.
    assert!(lines(&path)[0].contains("third"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    drop((first, second));
    assert!(set.open(&path, Limits::default(), &metrics).is_ok());
    assert_eq!(set.open.lock().len(), 1);
}

#[tokio::test]
async fn who_cannot_be_written_is_told_and_counted() {
    let metrics = Metrics::default();
    let full = DeadLetter::open(Path::new("/dev/full"), Limits::default(), &metrics).unwrap();
    let error = full.write(Signal::Traces, request("a"), 1, &why()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot write to `/dev/full`: "), "{error}");
    let error = full.write(Signal::Traces, Bytes::from_static(&[0x0a, 9]), 3, &why()).await.unwrap_err();
    assert!(matches!(error, DeadLetterError::Encode(_)), "{error}");
    assert_eq!((counted(&metrics, "written"), counted(&metrics, "failed")), (0, 4));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("dead.jsonl");
    let error = DeadLetter::open(&path, Limits::default(), &metrics).unwrap_err().to_string();
    assert!(error.contains("mkdir -p"), "{error}");
}
