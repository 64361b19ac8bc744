//! The order of the end.

use sluicebox::data::Signal;
use tokio::net::TcpStream;

use super::to_file;
use crate::client::GrpcClient;
use crate::harness::{Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

#[tokio::test(flavor = "multi_thread")]
async fn f54_the_end_is_told_first_then_listeners_close_then_queues_run_empty() {
    let peer = Peer::start(Mood::Hesitates).await;
    let exporter = format!("otlp/backend: {{ endpoint: \"{}\", timeout: 5m, batch: {{ timeout: 10ms }} }}", peer.url());
    let pipeline = to_file("", "", "\n  shutdown_timeout: 5m").replace("file: { path: out.jsonl }", &exporter);
    let sluicebox = Sluicebox::run(&pipeline.replace("[file]", "[otlp/backend]"));
    let address = sluicebox.address("otlp", "grpc");
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("queued", 10)).await.unwrap();
    wait_for("the backend to have it", || (!peer.taken().is_empty()).then_some(()), String::new);
    sluicebox.signal("TERM");
    sluicebox.wait_for_log("told to end");
    // Listeners are closed while the delivery is under way, and the admin endpoint says so.
    loop {
        let readiness = reqwest::get(format!("{}/readyz", sluicebox.admin())).await.unwrap();
        if readiness.status() == 503 {
            assert!(readiness.text().await.unwrap().contains("draining"));
            break;
        }
    }
    while TcpStream::connect(&address).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(sluicebox.metric("otelcol_exporter_sent_spans_total", &[]).await, 0.0);
    peer.becomes(Mood::content());
    let (status, log, _) = sluicebox.wait();
    assert!(status.success(), "{log:?}");
    assert_eq!(peer.wait_for_spans(10).len(), 10);
}
