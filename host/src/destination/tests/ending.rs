//! How it ends: given up, shut down, accounted for.

use super::*;

#[tokio::test]
async fn e08_what_is_given_up_is_counted() {
    for (enabled, max_elapsed_time) in [(true, Duration::from_secs(2)), (false, Duration::ZERO)] {
        let peer = Peer::grpc(unavailable(1000)).await;
        let metrics = Metrics::default();
        let mut spec = spec(client(&peer.url));
        (spec.retry.enabled, spec.retry.max_elapsed_time) = (enabled, max_elapsed_time);
        let destination = start(&spec, &metrics);
        let _ = destination.offer(0, spans(&["a", "b"])).unwrap();
        eventually(|| dropped(&metrics, "retries_exhausted") == 2).await;
        assert_eq!(peer.seen().len() > 1, enabled);
        assert_eq!(account(&metrics), Account { send_failed: 2, ..Account::default() });
        assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
    }
}

#[tokio::test]
async fn e04_what_a_shutdown_could_not_deliver_is_counted() {
    let peer = Peer::grpc([Reply::Hang, Reply::Hang, Reply::Hang, Reply::Hang]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    for _ in 0..10 {
        let _ = destination.offer(0, spans(&["a", "b"])).unwrap();
    }
    peer.await_seen(4).await;
    drain(&destination, Duration::from_millis(100)).await;
    assert_eq!(dropped(&metrics, "shutdown"), 20);
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
    assert!(matches!(destination.offer(0, spans(&["c"])), Err(Busy::Stopping { .. })));
}

#[tokio::test]
async fn a_drain_delivers_what_is_queued_and_what_was_promised_a_place() {
    let peer = Peer::grpc(unavailable(2)).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 100;
    spec.batch.timeout = Duration::from_secs(3600);
    let destination = start(&spec, &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let permit = destination.reserve(0, spans(&["b"])).unwrap();
    let draining = tokio::spawn({
        let destination = destination.clone();
        async move { drain(&destination, LONG).await }
    });
    eventually(|| destination.offer(0, spans(&["c"])).is_err()).await;
    let _ = permit.send();
    draining.await.unwrap();
    let mut delivered: Vec<_> = peer.seen()[2..].iter().flat_map(|seen| names(&seen.body)).collect();
    delivered.retain(|name| name != "c");
    delivered.sort_unstable();
    assert_eq!(delivered, ["a", "b"]);
}

#[tokio::test]
async fn the_accounting_law_holds_whatever_the_peer_does() {
    let script = (0..60).map(|number| match number % 6 {
        0 => Reply::Status(Status::unavailable("not now")),
        1 => Reply::Status(Status::invalid_argument("never")),
        2 => partial(1, "one of them"),
        3 => Reply::Reset,
        4 => Reply::Taken(b"\xff\xff".to_vec()),
        _ => {
            if number == 59 {
                Reply::Hang
            } else {
                Reply::Taken(Vec::new())
            }
        }
    });
    let peer = Peer::grpc(script).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.max_bytes = 400;
    spec.queue = QueueSpec::Memory { max_bytes: 10_000 };
    let destination = start(&spec, &metrics);
    let large = "x".repeat(1000);
    let mut offered = 0;
    for number in 0..200 {
        let payload = if number % 20 == 0 { spans(&["a", &large, "b"]) } else { spans(&["a", "b", "c", "d"]) };
        offered += payload.records;
        let _ = destination.offer(0, payload);
        tokio::task::yield_now().await;
        if number % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // On this thread nothing is taken from the queue meanwhile, so it fills.
    loop {
        let payload = spans(&["a", "b", "c", "d"]);
        offered += payload.records;
        if destination.offer(0, payload).is_err() {
            break;
        }
    }
    eventually(|| {
        let Account { sent, rejected, .. } = account(&metrics);
        sent > 0 && rejected > 0 && dropped(&metrics, "too_large") > 0 && dropped(&metrics, "refused_by_peer") > 0
    })
    .await;
    drain(&destination, Duration::from_millis(500)).await;
    let Account { sent, rejected, turned_away, .. } = account(&metrics);
    let lost =
        ["too_large", "refused_by_peer", "retries_exhausted", "shutdown"].map(|reason| dropped(&metrics, reason));
    assert!(turned_away > 0, "the queue was never full");
    assert_eq!(sent + rejected + turned_away + lost.iter().sum::<u64>(), offered);
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_the_backoff() {
    let peer = Peer::grpc(unavailable(1)).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    (spec.retry.initial_interval, spec.retry.max_interval) = (Duration::from_secs(3600), Duration::from_secs(3600));
    let destination = start(&spec, &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    peer.await_seen(1).await;
    eventually(|| attempts(&metrics, "retryable") == 1).await;
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 1, ..Account::default() });
}
