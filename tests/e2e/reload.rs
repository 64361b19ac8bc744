//! Reload under load: whatever becomes of the files, every span that was acknowledged arrives once, and none is refused.

mod crates;
mod endings;
mod files;
mod load;
mod many;
mod mistakes;
mod topology;
mod wasm;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use self::load::Load;
use crate::harness::{self, Sluicebox};

/// A pipeline file from one receiver through `stages` to `out.jsonl`; `processors` are lines of YAML below that key.
fn pipeline(processors: &str, stages: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }}, http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
{processors}
exporters:
  file: {{ path: out.jsonl, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [{stages}], exporters: [file] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  shards: 2
"
    )
}

/// As [`pipeline`], with one stage whose plugin is `./stage.wasm`.
fn pipeline_of_wasm(config: &str) -> String {
    pipeline(
        &format!(
            "  stage: {{ plugin: ./stage.wasm, config: {config}, grants: [metrics, state, clock, random], \
             limits: {{ deadline: 10s }} }}"
        ),
        "stage",
    )
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Waits until new spans come out that are called `name` (the client calls them `sent`, the guest `edits` `renamed`).
fn wait_for_spans_called(sluicebox: &Sluicebox, name: &str) {
    let called = |lines: &[Value]| harness::spans(lines).iter().filter(|span| span["name"] == name).count();
    let before = called(&sluicebox.wait_for_lines("out.jsonl", |_| true));
    sluicebox.wait_for_lines("out.jsonl", |lines| called(lines) > before);
}

/// `last_reload` of `/status`: the outcome, and the error or nothing.
fn last_reload(sluicebox: &Sluicebox) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(sluicebox.status());
    let last = &status["last_reload"];
    (last["outcome"].as_str().unwrap_or_default().to_owned(), last["error"].as_str().unwrap_or_default().to_owned())
}

/// Ends load and process, and holds what was acknowledged against what the files have.
fn assert_nothing_lost(sluicebox: Sluicebox, load: Load, files: &[&str]) -> Vec<String> {
    let acknowledged = load.stop();
    let (log, folder) = sluicebox.stop();
    assert_exactly_once(folder.path(), files, &acknowledged);
    log
}

/// Every acknowledged span is there once, and nothing else is.
fn assert_exactly_once(folder: &Path, files: &[&str], acknowledged: &[u64]) {
    let mut arrived = Vec::new();
    for file in files {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids = harness::spans(&lines).into_iter().map(|span| span["spanId"].as_str().unwrap().to_owned());
        arrived.extend(ids.map(|id| u64::from_str_radix(&id, 16).unwrap()));
    }
    arrived.sort_unstable();
    let mut expected = acknowledged.to_vec();
    expected.sort_unstable();
    assert!(!expected.is_empty(), "nothing was sent");
    if arrived != expected {
        let lost = expected.iter().filter(|id| arrived.binary_search(id).is_err()).count();
        panic!("{} acknowledged, {} arrived, {lost} lost", expected.len(), arrived.len());
    }
}
