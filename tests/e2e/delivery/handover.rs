//! Reload with data in a durable queue (F98).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sluicebox::data::Signal;
use tonic::Status;

use super::{DURABLE, QUEUED, SENT, SOON, assert_law, pipeline, wait_for_metric, wait_for_series};
use crate::client::GrpcClient;
use crate::harness::{Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

fn down() -> Mood {
    Mood::Refuses(Status::unavailable("down"))
}

fn durable(peer: &Peer) -> String {
    pipeline(peer, &format!("{DURABLE}\n{SOON}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn f98_an_exporter_that_changes_hands_its_queue_over_and_nobody_notices() {
    let (dead, alive) = (Peer::start(down()).await, Peer::start(Mood::content()).await);
    let sluicebox = Sluicebox::run(&durable(&dead));
    let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = GrpcClient::connect(&sluicebox).await;
    let load = tokio::spawn({
        let (stop, taken) = (Arc::clone(&stop), Arc::clone(&taken));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let number = taken.load(Ordering::Relaxed);
                client.export(Signal::Traces, encoded_spans(&format!("r{number}"), 5)).await.unwrap();
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let more = |count: usize| {
        let wanted = taken.load(Ordering::Relaxed) + count;
        wait_for("more requests", || (taken.load(Ordering::Relaxed) >= wanted).then_some(()), String::new);
    };
    more(10);
    // Away from the dead one, and back to it and away again while there is load.
    for (round, peer) in [&alive, &dead, &alive].into_iter().enumerate() {
        sluicebox.write("pipeline.yaml", durable(peer));
        sluicebox.wait_for_log(&format!("generation {} serves", round + 2));
        more(10);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    let count = taken.load(Ordering::Relaxed) * 5;
    wait_for_metric(&sluicebox, SENT, count as f64).await;
    alive.wait_for_spans(count);
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    assert_law(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f98_what_an_exporter_leaves_is_told_kept_and_found_again() {
    let (dead, alive) = (Peer::start(down()).await, Peer::start(Mood::content()).await);
    let sluicebox = Sluicebox::run(&durable(&dead));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 7)).await.unwrap();
    let without = "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' } } }
exporters:
  file: { path: out.jsonl }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines: { traces: { receivers: [otlp], exporters: [file] } }
";
    sluicebox.write("pipeline.yaml", without);
    let told = sluicebox.wait_for_log("is gone");
    assert!(told.contains("otlp") && told.contains("7 records") && told.contains("queue"), "{told}");
    let left = &sluicebox.status().await["left_behind"][0];
    assert_eq!((&left["exporter"], &left["records"]), (&"otlp".into(), &7.into()));
    assert!(left["dir"].as_str().unwrap().ends_with("/queue"), "{left}");
    assert_law(&sluicebox).await;

    sluicebox.write("pipeline.yaml", durable(&alive));
    alive.wait_for_spans(7);
    wait_for_metric(&sluicebox, SENT, 7.0).await;
    assert_eq!(sluicebox.status().await["left_behind"], serde_json::json!([]));
    assert_law(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f98_an_exporter_with_another_name_takes_over_the_same_directory() {
    let (dead, alive) = (Peer::start(down()).await, Peer::start(Mood::content()).await);
    let sluicebox = Sluicebox::run(&durable(&dead));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 7)).await.unwrap();
    let renamed = durable(&alive).replace("  otlp:\n    endpoint", "  otlp/new:\n    endpoint");
    sluicebox.write("pipeline.yaml", renamed.replace("exporters: [otlp]", "exporters: [otlp/new]"));
    alive.wait_for_spans(7);
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    for exporter in ["exporter=\"otlp\"", "exporter=\"otlp/new\""] {
        wait_for_series(&sluicebox, QUEUED, &[exporter], 0.0).await;
    }
    assert_law(&sluicebox).await;
    sluicebox.stop();
}
