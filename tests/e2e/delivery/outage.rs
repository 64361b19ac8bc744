//! A backend that is a black hole: requests go in, nothing comes back (F24).

use sluicebox::data::Signal;
use tonic::Code;
use tonic_types::StatusExt;

use super::{QUEUED, SOON, assert_law, export_when_there_is_room, pipeline, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::Sluicebox;
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

/// Bytes of the queue.
const CAPACITY: usize = 256 << 10;

async fn blackholed(queue: &str) {
    let peer = Peer::start(Mood::Hangs).await;
    // What the backend takes once it is back comes twice if its answer takes so long.
    let sluicebox = Sluicebox::run(&pipeline(&peer, &format!("{queue}\ntimeout: 5s\n{SOON}")));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut taken = 0;
    let refusal = loop {
        match client.export(Signal::Traces, encoded_spans(&format!("r{taken}"), 20)).await {
            Ok(_) => taken += 1,
            Err(refusal) => break refusal,
        }
        assert!(taken * 1000 < 2 * CAPACITY, "{queue}: it takes more than it may");
    };
    assert!(taken > 20, "{queue}: refused after {taken}");
    assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    assert!(refusal.get_details_retry_info().is_some(), "{refusal:?}");
    assert!(refusal.message().contains("full"), "{refusal:?}");
    let size = sluicebox.metric("otelcol_exporter_queue_size", &[]).await;
    assert!(size <= sluicebox.metric("otelcol_exporter_queue_capacity", &[]).await, "{queue}: {size}");
    assert_law(&sluicebox).await;

    peer.becomes(Mood::content());
    // Whatever was acknowledged comes, and there is room again.
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    peer.wait_for_spans(taken * 20);
    export_when_there_is_room(&client, "after", 20).await;
    peer.wait_for_spans(taken * 20 + 20);
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &[]).await, 0.0);
    wait_for_metric(&sluicebox, QUEUED, 0.0).await;
    assert_law(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_a_black_hole_fills_memory_to_its_bound_and_all_of_it_recovers() {
    blackholed("queue: { memory: 256KiB }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_a_black_hole_fills_the_disk_to_its_bound_and_all_of_it_recovers() {
    blackholed("queue: { durable: ./queue, max_bytes: 256KiB }").await;
}
