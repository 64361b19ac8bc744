//! What becomes of records when the retries are exhausted, or the backend refuses them for good.

use serde_json::Value;
use sluicebox::data::Signal;
use tonic::Status;

use super::{DURABLE, QUEUED, assert_law, pipeline, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::{Sluicebox, spans};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

const DROPPED: &str = "sluicebox_dropped_records_total";

fn retries(on_exhausted: &str) -> String {
    format!("retry_on_failure: {{ initial_interval: 20ms, max_interval: 50ms, max_elapsed_time: 100ms{on_exhausted} }}")
}

async fn run(peer: &Peer, keys: &str) -> Sluicebox {
    let sluicebox = Sluicebox::run(&pipeline(peer, keys));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 5)).await.unwrap();
    sluicebox
}

fn down() -> Mood {
    Mood::Refuses(Status::unavailable("down"))
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_a_queue_in_memory_drops_and_counts_what_is_exhausted() {
    let peer = Peer::start(down()).await;
    let sluicebox = run(&peer, &retries("")).await;
    wait_for_metric(&sluicebox, DROPPED, 5.0).await;
    assert_eq!(sluicebox.metric(DROPPED, &["reason=\"retries_exhausted\"", "component=\"otlp\""]).await, 5.0);
    assert_law(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_queue_keeps_what_is_exhausted_and_tries_it_for_ever() {
    let peer = Peer::start(down()).await;
    let sluicebox = run(&peer, &format!("{DURABLE}\n{}", retries(""))).await;
    sluicebox.wait_for_log("are kept in the queue and tried every");
    assert_eq!(sluicebox.metric(QUEUED, &[]).await, 5.0);
    assert_law(&sluicebox).await;
    peer.becomes(Mood::content());
    peer.wait_for_spans(5);
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    assert_eq!(sluicebox.metric(DROPPED, &[]).await, 0.0);
    assert_law(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_a_dead_letter_file_holds_what_is_exhausted_or_refused_for_good() {
    let refuses = || Mood::Refuses(Status::invalid_argument("no such tenant"));
    for (mood, reason, error) in
        [(down(), "retries_exhausted", "down"), (refuses(), "refused_by_peer", "no such tenant")]
    {
        for queue in [DURABLE, "queue: memory"] {
            let peer = Peer::start(mood.clone()).await;
            let keys = format!("{queue}\ndead_letter: ./dead.jsonl\n{}", retries(", on_exhausted: dead_letter"));
            let sluicebox = run(&peer, &keys).await;
            let lines = sluicebox.wait_for_lines("dead.jsonl", |lines| spans(lines).len() == 5);
            let note: &Value = &lines[0]["sluicebox"];
            assert_eq!((&note["component"], &note["reason"]), (&"otlp".into(), &reason.into()));
            assert!(note["error"].as_str().unwrap().contains(error), "{note}");
            wait_for_metric(&sluicebox, DROPPED, 5.0).await;
            assert_eq!(sluicebox.metric(DROPPED, &[&format!("reason=\"{reason}\"")]).await, 5.0);
            let written = ["outcome=\"written\"", "component=\"otlp\""];
            assert_eq!(sluicebox.metric("sluicebox_dead_letter_records_total", &written).await, 5.0);
            assert_law(&sluicebox).await;
            sluicebox.stop();
        }
    }
}
