//! One pipeline's plugin does not stop another pipeline, nor the process.

use std::fs;
use std::time::{Duration, SystemTime};

use super::{Client, folder, misbehaving};
use crate::harness::{Sluicebox, spans};

const CLOCK_TICKS_PER_SECOND: u64 = 100;

/// Two pipelines on one shard: `bad` loops until its deadline, `good` has no stage.
fn two_pipelines(on_error: &str) -> String {
    format!(
        "receivers:
  otlp/bad: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
  otlp/good: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
  loops:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: loop, when: bad }}
    grants: [metrics, state, clock, random]
    limits: {{ deadline: 600ms, search_time: 60s }}
    on_error: {on_error}
exporters:
  file/bad: {{ path: bad.jsonl, batch: {{ timeout: 20ms }} }}
  file/good: {{ path: good.jsonl, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces/bad: {{ receivers: [otlp/bad], processors: [loops], exporters: [file/bad] }}
    traces/good: {{ receivers: [otlp/good], exporters: [file/good] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  shards: 1
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f58_a_runaway_plugin_shares_its_thread_and_its_batches_follow_on_error() {
    for (on_error, status) in [("pass", 200), ("drop", 200), ("reject", 503)] {
        let sluicebox = Sluicebox::run_in(folder(&two_pipelines(on_error)), &["pipeline.yaml"]);
        let (bad, good) = (Client::of(&sluicebox, "otlp/bad"), Client::of(&sluicebox, "otlp/good"));
        let looping = tokio::spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..3 {
                statuses.push(bad.send(&["bad", "beside"]).await);
            }
            statuses
        });
        let mut taken = 0;
        while !looping.is_finished() {
            assert_eq!(good.send(&["good"]).await, 200);
            taken += 1;
        }
        assert_eq!(looping.await.unwrap(), [status; 3], "{on_error}");
        // One shard, which loops three or six times for 0.6 s: had it not shared its thread, one would have got through
        // before, between and after each two of them.
        assert!(taken > 14, "{taken} requests of the other pipeline while one plugin looped");
        let lines = sluicebox.wait_for_lines("good.jsonl", |lines| spans(lines).len() == taken);
        assert!(spans(&lines).iter().all(|span| span["name"] == "good"));

        // Where a record alone can be told apart, it is looped on a second time.
        let faults = if on_error == "reject" { 3.0 } else { 6.0 };
        assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &["fault=\"deadline\""]).await, faults);
        let dropped = sluicebox.metric("sluicebox_dropped_records_total", &["reason=\"plugin_fault\""]).await;
        let refused = sluicebox.metric("otelcol_receiver_refused_spans_total", &["receiver=\"otlp/bad\""]).await;
        let (_, folder) = sluicebox.stop();
        let passed =
            fs::read_to_string(folder.path().join("bad.jsonl")).unwrap_or_default().matches("\"beside\"").count();
        let expected = match on_error {
            "pass" => (3, 0.0, 0.0),
            "drop" => (3, 3.0, 0.0),
            _ => (0, 0.0, 6.0),
        };
        assert_eq!((passed, dropped, refused), expected, "{on_error}");
    }
}

#[tokio::test]
async fn f63_a_plugin_that_traps_on_every_batch_costs_no_cpu_between_them() {
    let sluicebox = Sluicebox::run_in(folder(&misbehaving("unreachable", "pass")), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    for _ in 0..200 {
        assert_eq!(client.send(&["bad"]).await, 200);
    }
    sluicebox.wait_for_lines("out.jsonl", |lines| spans(lines).len() == 200);
    let traps = sluicebox.metric("sluicebox_plugin_faults_total", &["fault=\"trap\""]).await;
    assert!((12.0..100.0).contains(&traps), "{traps}");
    let (before, begun) = (cpu(sluicebox.id()), SystemTime::now());
    while begun.elapsed().unwrap() < Duration::from_millis(600) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let spent = cpu(sluicebox.id()) - before;
    assert!(spent <= Duration::from_millis(100), "{spent:?} of CPU in 600 ms without a request");
    sluicebox.stop();
}

/// CPU time of a process.
fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // After the name, which may hold blanks: the state is field 3, user and system time are 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 1000 / CLOCK_TICKS_PER_SECOND)
}
