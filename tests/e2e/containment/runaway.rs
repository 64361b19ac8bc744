//! F58: a plugin that never ends costs its own pipeline its deadline; the next pipeline does not notice.

use std::time::{Duration, SystemTime};

use super::folder;
use crate::harness::{Sluicebox, spans};
use crate::plugins::Client;

/// On one thread: `bad`, whose guest loops for ever on every batch, and `good`, whose guest filters.
const PIPELINE: &str = "receivers:
  otlp/bad: { protocols: { http: { endpoint: '127.0.0.1:0' } } }
  otlp/good: { protocols: { http: { endpoint: '127.0.0.1:0' } } }
processors:
  loops:
    plugin: ./misbehaves.wasm
    config: { behaviour: loop, when: bad }
    grants: [metrics, state, clock, random]
    limits: { deadline: 1s, search_time: 60s }
  filters:
    plugin: ./misbehaves.wasm
    config: { behaviour: drop-short-names }
    grants: [metrics, state, clock, random]
    limits: { deadline: 10s }
exporters:
  file/bad: { path: bad.jsonl, batch: { timeout: 20ms } }
  file/good: { path: good.jsonl, batch: { timeout: 20ms } }
service:
  pipelines:
    traces/bad: { receivers: [otlp/bad], processors: [loops], exporters: [file/bad] }
    traces/good: { receivers: [otlp/good], processors: [filters], exporters: [file/good] }
  telemetry: { endpoint: '127.0.0.1:0' }
  shards: 1
";

/// How long requests take, one after the other as long as the condition on their number holds; ascending.
async fn latencies(client: &Client, goes_on: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut took = Vec::new();
    while goes_on(took.len()) {
        let begun = SystemTime::now();
        assert_eq!(client.send(&["a long name", "tiny"]).await, 200);
        took.push(begun.elapsed().unwrap());
    }
    took.sort_unstable();
    took
}

fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f58_a_runaway_plugin_leaves_another_pipeline_its_latency_and_is_soon_left_alone() {
    let sluicebox = Sluicebox::run_in(folder(PIPELINE, &["misbehaves"]), &["pipeline.yaml"]);
    let (bad, good) = (Client::of(&sluicebox, "otlp/bad"), Client::of(&sluicebox, "otlp/good"));
    let alone = latencies(&good, |count| count < 300).await;
    let runaway = tokio::spawn(async move {
        // Until the breaker is open a batch takes its deadline: a dozen of them.
        for _ in 0..40 {
            assert_eq!(bad.send(&["bad"; 3]).await, 200);
        }
    });
    let took = latencies(&good, |_| !runaway.is_finished()).await;
    runaway.await.unwrap();
    let (median, p99) = (quantile(&took, 50), quantile(&took, 99));
    eprintln!("{} requests alone: median {:?}, p99 {:?}", alone.len(), quantile(&alone, 50), quantile(&alone, 99));
    eprintln!("{} requests beside the runaway: median {median:?}, p99 {p99:?}", took.len());
    // Had they waited for the runaway, each would have taken the rest of a deadline, 500 ms in the mean. A loaded
    // machine is slow, so the bounds are wide: most take a fraction of the deadline, next to none more than two.
    assert!(median < Duration::from_millis(250), "median {median:?}");
    assert!(p99 < Duration::from_secs(2), "p99 {p99:?}");
    sluicebox.wait_for_lines("good.jsonl", |lines| spans(lines).len() == alone.len() + took.len());
    sluicebox.wait_for_lines("bad.jsonl", |lines| spans(lines).len() == 120);

    let faults = async |kind: &str| {
        sluicebox.metric("sluicebox_plugin_faults_total", &["processor=\"loops\"", &format!("fault=\"{kind}\"")]).await
    };
    let (deadlines, open) = (faults("deadline").await, faults("open").await);
    assert!((5.0..=25.0).contains(&deadlines) && open > 10.0, "{deadlines} deadlines, {open} passed by");
    assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &["processor=\"filters\""]).await, 0.0);
    sluicebox.stop();
}
