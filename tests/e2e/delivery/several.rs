//! Several destinations, each with a queue of its own kind: who has to be in charge before a client hears OK, and that
//! a slow one does not hold up the others.

use std::time::Duration;

use sluicebox::data::Signal;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{QUEUED, SOON, export_when_there_is_room, exporter, pipeline, wait_for_series};
use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

/// One pipeline to a durable queue, a queue in memory, and none.
fn three(durable: &Peer, memory: &Peer, none: &Peer) -> String {
    let exporters = [
        exporter("otlp/durable", durable, &format!("queue: {{ durable: ./queue, max_bytes: 64KiB }}\n{SOON}")),
        exporter("otlp/memory", memory, &format!("queue: memory\n{SOON}")),
        exporter(
            "otlp/none",
            none,
            "queue: none\ntimeout: 5m\nretry_on_failure: { initial_interval: 20ms, max_interval: 50ms, max_elapsed_time: 200ms }",
        ),
    ];
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
exporters:
{}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [otlp/durable, otlp/memory, otlp/none] }} }}
",
        exporters.join("\n")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r50_e33_a_client_hears_success_only_when_every_destination_has_taken_charge() {
    let durable = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let memory = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let none = Peer::start(Mood::Hesitates).await;
    let sluicebox = Sluicebox::run(&three(&durable, &memory, &none));
    let client = GrpcClient::connect(&sluicebox).await;
    // Two backends are down, and their queues are in charge; the third has not answered yet.
    let mut call = tokio::spawn({
        let client = client.clone();
        async move { client.export(Signal::Traces, encoded_spans("a", 5)).await }
    });
    wait_for("the one without a queue", || (none.taken().len() == 1).then_some(()), String::new);
    let queued = ["exporter=\"otlp/durable\"", "exporter=\"otlp/memory\""];
    for exporter in queued {
        wait_for_series(&sluicebox, QUEUED, &[exporter], 5.0).await;
    }
    timeout(Duration::from_millis(200), &mut call).await.expect_err("it was answered too early");
    none.becomes(Mood::content());
    call.await.unwrap().unwrap();

    // What that one cannot deliver is still with the client.
    none.becomes(Mood::Refuses(Status::unavailable("down")));
    let refusal = client.export(Signal::Traces, encoded_spans("b", 5)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    for exporter in queued {
        wait_for_series(&sluicebox, QUEUED, &[exporter], 10.0).await;
    }
    sluicebox.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn e33_a_full_queue_makes_no_duplicates_at_the_others() {
    let durable = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let (memory, none) = (Peer::start(Mood::content()).await, Peer::start(Mood::content()).await);
    let sluicebox = Sluicebox::run(&three(&durable, &memory, &none));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut taken = 0;
    while client.export(Signal::Traces, encoded_spans(&format!("r{taken}"), 20)).await.is_ok() {
        taken += 1;
        assert!(taken < 1000, "it takes more than it may");
    }
    assert!(client.export(Signal::Traces, encoded_spans("refused", 20)).await.is_err());
    durable.becomes(Mood::content());
    for peer in [&durable, &memory, &none] {
        peer.wait_for_spans(taken * 20);
    }
    export_when_there_is_room(&client, "after", 20).await;
    for peer in [&durable, &memory, &none] {
        peer.wait_for_spans(taken * 20 + 20);
    }
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_a_slow_destination_does_not_hold_up_the_others() {
    let (slow, fast) = (Peer::start(Mood::Hangs).await, Peer::start(Mood::content()).await);
    let text = format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
  otlp/other: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
exporters:
{}
{}
service:
  shutdown_timeout: 1s
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [otlp/slow, otlp/fast] }}
    traces/other: {{ receivers: [otlp/other], exporters: [otlp/fast] }}
",
        // It would hold up the others for an hour.
        exporter("otlp/slow", &slow, "queue: { memory: 256KiB }\ntimeout: 1h"),
        exporter("otlp/fast", &fast, SOON),
    );
    let sluicebox = Sluicebox::run(&text);
    let client = GrpcClient::connect(&sluicebox).await;
    let mut taken = 0;
    // As long as its queue takes them, the fast one gets all of them at once.
    while client.export(Signal::Traces, encoded_spans(&format!("r{taken}"), 20)).await.is_ok() {
        taken += 1;
    }
    assert!(taken > 20);
    fast.wait_for_spans(taken * 20);
    // Now it is full. What goes past it is not held up.
    let other = GrpcClient::connect_to(&sluicebox, "otlp/other").await;
    let past = async {
        for number in 0..50 {
            other.export(Signal::Traces, encoded_spans(&format!("o{number}"), 20)).await.unwrap();
        }
    };
    timeout(PATIENCE, past).await.expect("it is held up");
    fast.wait_for_spans(taken * 20 + 1000);
    assert_eq!(slow.taken().len(), 0);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e34_f36_an_answer_that_got_lost_is_a_duplicate_and_never_a_loss() {
    for queue in ["queue: memory", "queue: { durable: ./queue }"] {
        let peer = Peer::start(Mood::Hesitates).await;
        let sluicebox = Sluicebox::run(&pipeline(&peer, &format!("{queue}\ntimeout: 300ms\n{SOON}")));
        let client = GrpcClient::connect(&sluicebox).await;
        client.export(Signal::Traces, encoded_spans("a", 5)).await.unwrap();
        wait_for("a second attempt", || (peer.taken().len() >= 2).then_some(()), String::new);
        peer.becomes(Mood::content());
        super::wait_for_metric(&sluicebox, super::SENT, 5.0).await;
        let taken = peer.taken();
        assert!(taken.iter().all(|request| *request == taken[0]), "not the same bytes again");
        super::assert_law(&sluicebox).await;
        sluicebox.stop();
    }
}
