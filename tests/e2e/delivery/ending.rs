//! SIGTERM while the backend is down.

use sluicebox::data::Signal;
use tonic::Status;

use super::{DURABLE, SENT, SOON, assert_law, pipeline, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::Sluicebox;
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

fn down() -> Mood {
    Mood::Refuses(Status::unavailable("down"))
}

async fn export(sluicebox: &Sluicebox, requests: usize) {
    let client = GrpcClient::connect(sluicebox).await;
    for number in 0..requests {
        client.export(Signal::Traces, encoded_spans(&format!("r{number}"), 5)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f53_sigterm_with_the_backend_down_keeps_the_durable_queue_for_the_next_start() {
    for mood in [down(), Mood::Hangs] {
        let peer = Peer::start(mood).await;
        let text = pipeline(&peer, &format!("{DURABLE}\n{SOON}"));
        let sluicebox = Sluicebox::run(&text.replace("service:\n", "service:\n  shutdown_timeout: 1h\n"));
        export(&sluicebox, 20).await;
        assert_law(&sluicebox).await;
        // Long before the time for the end is over, which is an hour.
        let (log, folder) = sluicebox.stop();
        let told = log.iter().find(|line| line.contains("are kept in")).unwrap_or_else(|| panic!("{}", log.join("\n")));
        assert!(told.contains("100 records") && told.contains("otlp") && told.contains("/queue"), "{told}");
        assert!(!log.iter().any(|line| line.contains("given up")), "{}", log.join("\n"));

        peer.becomes(Mood::content());
        let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
        peer.wait_for_spans(100);
        wait_for_metric(&sluicebox, SENT, 100.0).await;
        assert_law(&sluicebox).await;
        let (log, _) = sluicebox.stop();
        assert!(!log.iter().any(|line| line.contains("are kept in")), "{}", log.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_with_the_backend_up_delivers_what_is_in_the_durable_queue() {
    let peer = Peer::start(Mood::content()).await;
    // Nothing would be sent for an hour.
    let keys = format!("{DURABLE}\n{SOON}");
    let sluicebox = Sluicebox::run(&pipeline(&peer, &keys).replace("timeout: 10ms", "timeout: 1h"));
    export(&sluicebox, 20).await;
    sluicebox.stop();
    peer.wait_for_spans(100);
}

#[tokio::test(flavor = "multi_thread")]
async fn f54_a_second_sigterm_loses_nothing_of_a_durable_queue() {
    let peer = Peer::start(Mood::Hangs).await;
    let memory = super::exporter("otlp/memory", &peer, SOON);
    let keys = format!("{DURABLE}\n{SOON}");
    let text = pipeline(&peer, &keys)
        .replace("exporters: [otlp]", "exporters: [otlp, otlp/memory]")
        .replace("exporters:\n", &format!("exporters:\n{memory}\n"))
        .replace("service:\n", "service:\n  shutdown_timeout: 1h\n");
    let sluicebox = Sluicebox::run(&text);
    export(&sluicebox, 4).await;
    sluicebox.signal("TERM");
    sluicebox.wait_for_log("told to end");
    // The queue in memory holds up the end for an hour. Signals within a moment count as one.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    sluicebox.signal("TERM");
    let (status, log, folder) = sluicebox.wait();
    assert_eq!(status.code(), Some(1), "{}", log.join("\n"));

    peer.becomes(Mood::content());
    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    assert_eq!(sluicebox.metric("sluicebox_exporter_recovered_spans_total", &["exporter=\"otlp\""]).await, 20.0);
    peer.wait_for_spans(20);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e04_f54_at_the_deadline_memory_is_counted_as_lost_and_the_disk_is_kept() {
    let peer = Peer::start(Mood::Hangs).await;
    for (keys, told) in [("queue: memory", "given up, since the time"), (DURABLE, "of exporter otlp are kept")] {
        let text =
            pipeline(&peer, &format!("{keys}\n{SOON}")).replace("service:\n", "service:\n  shutdown_timeout: 1s\n");
        let sluicebox = Sluicebox::run(&text);
        export(&sluicebox, 4).await;
        let (log, _) = sluicebox.stop();
        assert!(log.iter().any(|line| line.contains(told)), "{told}: {}", log.join("\n"));
    }
}
