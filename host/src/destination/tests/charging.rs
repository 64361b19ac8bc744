//! Who is in charge: a full queue, no queue, several destinations.

use super::*;

#[tokio::test]
async fn f24_a_full_queue_turns_away_and_takes_again() {
    let peer = Peer::grpc([Reply::Hang]).await;
    let metrics = Metrics::default();
    let mut spec = spec(OtlpClientSpec { timeout: Duration::from_millis(300), ..client(&peer.url) });
    let payload = spans(&["a"]);
    let cost = payload.bytes.len() + ENTRY_BYTES;
    spec.queue = QueueSpec::Memory { max_bytes: 2 * cost };
    if let TargetSpec::OtlpGrpc(client) = &mut spec.target {
        client.max_in_flight = std::num::NonZeroUsize::MIN;
    }
    let destination = start(&spec, &metrics);
    let _ = destination.offer(0, payload.clone()).unwrap();
    let promised = destination.reserve(0, payload.clone()).unwrap();
    let full = destination.offer(0, payload.clone()).unwrap_err();
    assert_eq!(full.to_string(), "the queue of exporter `otlp/test` is full");
    assert!(full.retry_after() >= Duration::from_secs(1));
    assert_eq!(account(&metrics).turned_away, 1);
    drop(promised);
    let _ = destination.offer(0, payload.clone()).unwrap();
    // The first attempt times out; both are delivered, and there is room again.
    peer.await_seen(3).await;
    eventually(|| destination.held_bytes() == 0).await;
    assert!(destination.offer(0, payload).is_ok());
}

#[tokio::test]
async fn without_a_queue_the_charge_comes_with_the_delivery() {
    let refusal = || Reply::Status(Status::invalid_argument("never"));
    for (script, time, verdict, counted) in [
        (unavailable(2), LONG, Verdict::Taken, 0),
        (vec![refusal()], LONG, Verdict::Refused, 1),
        (unavailable(1000), Duration::from_millis(200), Verdict::Undelivered, 0),
    ] {
        let peer = Peer::grpc(script).await;
        let metrics = Metrics::default();
        let mut spec = spec(client(&peer.url));
        spec.queue = QueueSpec::None;
        spec.retry.max_elapsed_time = time;
        let destination = start(&spec, &metrics);
        let mut charge = destination.offer(0, spans(&["a"])).unwrap();
        assert!(!charge.is_taken());
        assert_eq!(charge.wait().await, verdict);
        let lost = ["refused_by_peer", "retries_exhausted", "shutdown"].map(|reason| dropped(&metrics, reason));
        assert_eq!(lost.iter().sum::<u64>(), counted, "what its sender still has is not lost");
    }
}

#[tokio::test]
async fn e33_destinations_share_the_bytes_and_nothing_else() {
    let dead = Peer::grpc(unavailable(100_000)).await;
    let alive = Peer::grpc([]).await;
    let both =
        [start(&spec(client(&dead.url)), &Metrics::default()), start(&spec(client(&alive.url)), &Metrics::default())];
    let payload = spans(&["a"]);
    for _ in 0..10 {
        let permits: Vec<_> = both.iter().map(|one| one.reserve(0, payload.clone()).unwrap()).collect();
        for permit in permits {
            let _ = permit.send();
        }
    }
    assert_eq!(alive.await_seen(10).await.len(), 10);
    eventually(|| both[1].held_bytes() == 0).await;
    assert!(both[0].held_bytes() > 0);
}

#[tokio::test]
async fn e03_as_many_requests_are_under_way_as_configured() {
    let hang = || Reply::Hang;
    let peer = Peer::grpc([hang(), hang(), hang(), hang(), hang(), hang()]).await;
    let destination = start(&spec(client(&peer.url)), &Metrics::default());
    for _ in 0..10 {
        let _ = destination.offer(0, spans(&["a"])).unwrap();
    }
    peer.await_seen(4).await;
    tokio::time::timeout(Duration::from_millis(100), peer.await_seen(5)).await.expect_err("no more than four");
}

#[tokio::test]
async fn f21_without_a_queue_a_sender_that_hung_up_is_not_served_for_ever() {
    let peer = Peer::grpc(unavailable(100_000)).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.queue = QueueSpec::None;
    let destination = start(&spec, &metrics);
    let charge = destination.offer(0, spans(&["a"])).unwrap();
    peer.await_seen(3).await;
    drop(charge);
    eventually(|| destination.held_bytes() == 0).await;
    assert_eq!(account(&metrics), Account { send_failed: 1, ..Account::default() });
    assert_eq!(dropped(&metrics, "retries_exhausted"), 0);
}
