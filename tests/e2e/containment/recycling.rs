//! F80: many calls leak nothing, and instances are renewed between two of them.

use std::fs;

use super::folder;
use crate::harness::{Sluicebox, spans};
use crate::plugins::Client;

const PIPELINE: &str = "receivers:
  otlp: { protocols: { http: { endpoint: '127.0.0.1:0' } } }
processors:
  guest:
    plugin: ./misbehaves.wasm
    config: { behaviour: BEHAVIOUR }
    grants: [metrics, state, clock, random]
    limits: { deadline: 5s, LIMITS }
exporters:
  file: { path: out.jsonl, batch: { timeout: 20ms } }
service:
  pipelines:
    traces: { receivers: [otlp], processors: [guest], exporters: [file] }
  telemetry: { endpoint: '127.0.0.1:0' }
  shards: 1
";

fn run(behaviour: &str, limits: &str) -> Sluicebox {
    let text = PIPELINE.replace("BEHAVIOUR", behaviour).replace("LIMITS", limits);
    Sluicebox::run_in(folder(&text, &["misbehaves"]), &["pipeline.yaml"])
}

/// Resident memory of a process, in bytes.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn an_instance_is_renewed_after_its_calls_and_nothing_is_lost_by_it() {
    let sluicebox = run("count", "calls: 10");
    let client = Client::of(&sluicebox, "otlp");
    for _ in 0..100 {
        assert_eq!(client.send(&["a", "b"]).await, 200);
    }
    let renewed = sluicebox.metric("sluicebox_plugin_instances_renewed_total", &["cause=\"calls\""]).await;
    assert_eq!(renewed, 9.0);
    assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &[]).await, 0.0);
    // Own counters are the stage's, not the instance's; one batch was the sample that every new stage is tried with.
    assert_eq!(sluicebox.metric("sluicebox_plugin_batches_total", &["processor=\"guest\""]).await, 101.0);
    sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == 200);
    sluicebox.stop();
}

#[tokio::test]
async fn a_plugin_that_leaks_is_renewed_before_it_runs_out_of_memory() {
    let sluicebox = run("leak", "memory: 16MiB");
    let client = Client::of(&sluicebox, "otlp");
    // 128 KiB a batch: 300 of them would be more than twice what it may have.
    for _ in 0..300 {
        assert_eq!(client.send(&["a"]).await, 200);
    }
    let renewed = sluicebox.metric("sluicebox_plugin_instances_renewed_total", &["cause=\"memory\""]).await;
    assert!((2.0..=4.0).contains(&renewed), "{renewed}");
    assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &[]).await, 0.0);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f80_many_calls_leak_nothing() {
    // A build without optimisation takes about 100 µs a request; `CALLS=1000000` is the whole row.
    let calls: usize = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(100_000);
    let sluicebox = run("keep", "calls: 1000");
    let id = sluicebox.id();
    let client = Client::of(&sluicebox, "otlp");
    let send = async |count: usize| {
        for _ in 0..count / 8 {
            let eight = std::iter::repeat_with(|| client.send(&["a"])).take(8);
            assert!(futures_util::future::join_all(eight).await.iter().all(|status| *status == 200));
        }
    };
    send(calls / 4).await;
    let warm = resident(id);
    send(calls / 4 * 3).await;
    let after = resident(id);
    let calls = sluicebox.metric("sluicebox_plugin_calls_total", &["processor=\"guest\""]).await;
    eprintln!("{calls} calls: {warm} bytes resident after a quarter of them, {after} at the end");
    assert!(after < warm + (16 << 20), "{warm} bytes after a quarter, {after} at the end");
    sluicebox.stop();
}
