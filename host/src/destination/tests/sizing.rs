//! Batches whose size follows how fast the peer answers.

use std::num::NonZeroUsize;

use super::*;
use crate::config::spec::AdaptiveBatchSpec;

/// The size that was chosen last.
fn chosen(metrics: &Metrics) -> i64 {
    metrics.exporter_batch_records.get_or_create_owned(&ExporterLabels { exporter: ID.to_owned() }).get()
}

#[tokio::test]
async fn batches_grow_while_the_peer_is_fast_and_the_metrics_tell() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    let count = |records| NonZeroUsize::new(records).unwrap();
    let adaptive = AdaptiveBatchSpec { target: LONG, min_records: count(2), max_records: count(5) };
    spec.batch = BatchSpec { timeout: LONG, adaptive: Some(adaptive), ..spec.batch };
    let destination = start(&spec, &metrics);
    assert_eq!(chosen(&metrics), 2);
    eventually(|| {
        let _ = destination.offer(0, spans(&["a"]));
        chosen(&metrics) == 5
    })
    .await;
    let largest = || peer.seen().iter().map(|seen| names(&seen.body).len()).max();
    eventually(|| {
        let _ = destination.offer(0, spans(&["a"]));
        largest() == Some(5)
    })
    .await;
    drain(&destination, LONG).await;
}
