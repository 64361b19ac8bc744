//! The account across restarts.

use sluicebox::data::Signal;
use tonic::Status;

use super::{DURABLE, QUEUED, SENT, SOON, assert_law, pipeline, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::Sluicebox;
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

#[tokio::test(flavor = "multi_thread")]
async fn f41_what_was_acknowledged_before_a_kill_is_found_counted_and_delivered() {
    let peer = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let sluicebox = Sluicebox::run(&pipeline(&peer, &format!("{DURABLE}\n{SOON}")));
    let client = GrpcClient::connect(&sluicebox).await;
    for number in 0..10 {
        client.export(Signal::Traces, encoded_spans(&format!("r{number}"), 5)).await.unwrap();
    }
    assert_law(&sluicebox).await;
    let folder = sluicebox.kill();

    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    assert_eq!(sluicebox.metric("sluicebox_exporter_recovered_spans_total", &[]).await, 50.0);
    assert_eq!(sluicebox.metric(QUEUED, &[]).await, 50.0);
    let exporter = &sluicebox.status().await["exporters"][0];
    assert_eq!((&exporter["queue_records"], &exporter["recovered_records"]), (&50.into(), &50.into()));
    assert!(exporter["queue_bytes"].as_i64().unwrap() > 50 * 20, "{exporter}");
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("new", 5)).await.unwrap();
    assert_law(&sluicebox).await;
    peer.becomes(Mood::content());
    peer.wait_for_spans(55);
    wait_for_metric(&sluicebox, SENT, 55.0).await;
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    assert_law(&sluicebox).await;
    let account = &sluicebox.status().await["accounting"]["traces"];
    assert_eq!(
        (&account["accepted"], &account["recovered"], &account["delivered"]),
        (&5.into(), &50.into(), &55.into())
    );
    sluicebox.stop();
}
