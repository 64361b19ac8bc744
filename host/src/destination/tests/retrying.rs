//! What the peer answers, and what follows from it.

use super::*;

#[tokio::test]
async fn e05_f28_each_status_code_is_retried_or_not() {
    for number in 1..=16 {
        let peer = Peer::grpc([Reply::Status(Status::new(Code::from(number), "scripted"))]).await;
        let metrics = Metrics::default();
        let destination = start(&spec(client(&peer.url)), &metrics);
        let _ = destination.offer(0, spans(&["a"])).unwrap();
        drain(&destination, LONG).await;
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS (E5).
        let retried = [1, 4, 10, 11, 14, 15].contains(&number);
        let ends = (peer.seen().len(), account(&metrics).sent, dropped(&metrics, "refused_by_peer"));
        assert_eq!(ends, if retried { (2, 1, 0) } else { (1, 0, 1) }, "{:?}", Code::from(number));
        assert_eq!(account(&metrics).send_failed, u64::from(!retried));
    }
}

#[tokio::test]
async fn e06_e07_f29_resource_exhausted_is_retried_only_with_retry_info() {
    let delay = Duration::from_millis(300);
    let peer = Peer::grpc([retry_info(Code::ResourceExhausted, delay)]).await;
    let destination = start(&spec(client(&peer.url)), &Metrics::default());
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let seen = peer.await_seen(2).await;
    assert!(seen[1].at - seen[0].at >= delay, "E7: it waits at least as long as it was told");
    let peer = Peer::grpc([Reply::Status(Status::resource_exhausted("too much"))]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    drain(&destination, LONG).await;
    assert_eq!((peer.seen().len(), dropped(&metrics, "refused_by_peer")), (1, 1));
}

#[tokio::test]
async fn e14_e34_f36_after_a_reset_the_same_bytes_go_again() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let peer = Peer::grpc([Reply::Reset, Reply::Reset]).await;
        let metrics = Metrics::default();
        let destination =
            start(&spec(OtlpClientSpec { compression: compression.into(), ..client(&peer.url) }), &metrics);
        let payload = spans(&["a", "b"]);
        let _ = destination.offer(0, payload.clone()).unwrap();
        let seen = peer.await_seen(3).await;
        assert!(seen.iter().all(|seen| seen.body == payload.bytes), "E14");
        drain(&destination, LONG).await;
        assert_eq!(account(&metrics), Account { sent: 2, ..Account::default() });
    }
}

#[tokio::test]
async fn e09_e10_f32_partial_success_is_counted_and_not_retried() {
    // E9, a warning, E10, and a peer that cannot count.
    for (reply, rejected) in
        [(partial(2, "why"), 2), (partial(0, "careful"), 0), (partial(0, ""), 0), (partial(99, "?"), 3)]
    {
        let peer = Peer::grpc([reply]).await;
        let metrics = Metrics::default();
        let destination = start(&spec(client(&peer.url)), &metrics);
        let _ = destination.offer(0, spans(&["a", "b", "c"])).unwrap();
        drain(&destination, LONG).await;
        assert_eq!(peer.seen().len(), 1);
        assert_eq!(account(&metrics), Account { sent: 3 - rejected, rejected, ..Account::default() });
    }
}

#[tokio::test]
async fn f34_a_peer_that_hangs_is_given_up_after_the_timeout() {
    let peer = Peer::grpc([Reply::Hang]).await;
    let metrics = Metrics::default();
    let timeout = Duration::from_millis(200);
    let destination = start(&spec(OtlpClientSpec { timeout, ..client(&peer.url) }), &metrics);
    let begun = Instant::now();
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let seen = peer.await_seen(2).await;
    assert!(seen[1].at - begun >= timeout);
    assert_eq!(seen[0].headers["grpc-timeout"], "200m");
}

#[tokio::test]
async fn e13_connecting_is_retried_until_the_peer_is_there() {
    // No other test gets its port meanwhile: all of them are on another loopback address.
    let listener = tokio::net::TcpListener::bind("127.13.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let metrics = Metrics::default();
    let destination = start(&spec(client(&format!("http://{address}"))), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    eventually(|| attempts(&metrics, "retryable") >= 2).await;
    let peer = Peer::grpc_on(tokio::net::TcpListener::bind(address).await.unwrap(), []);
    assert_eq!(names(&peer.await_seen(1).await[0].body), ["a"]);
}

#[tokio::test]
async fn e29_the_user_agent_names_program_and_version_and_e16_the_type() {
    let peer = Peer::grpc([]).await;
    let mut settings = OtlpClientSpec { compression: Compression::Gzip.into(), ..client(&peer.url) };
    settings.headers.insert("x-token".to_owned(), crate::config::spec::Secret::new("s3cret".to_owned()));
    let exporter = Exporter::build(&TargetSpec::OtlpGrpc(settings.clone()), &Access::default()).unwrap();
    assert!(!format!("{exporter:?} {settings:?}").contains("s3cret"), "E36");
    let destination = start(&spec(settings), &Metrics::default());
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let headers = peer.await_seen(1).await.remove(0).headers;
    let agent = headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with(&format!("sluicebox/{} ", env!("CARGO_PKG_VERSION"))), "{agent}");
    assert_eq!(
        (&headers["content-type"], &headers["grpc-encoding"]),
        (&"application/grpc".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(headers["x-token"], "s3cret");
}

#[tokio::test]
async fn e02_f33_a_huge_answer_is_not_read_and_not_retried() {
    let peer = Peer::grpc([Reply::Taken(vec![0; 5 << 20])]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    drain(&destination, LONG).await;
    assert_eq!((peer.seen().len(), dropped(&metrics, "refused_by_peer")), (1, 1));
}

#[tokio::test]
async fn f37_a_peer_that_sends_its_clients_away_loses_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = tonic::transport::Server::builder().max_connection_age(Duration::from_millis(20));
    let peer = Peer::grpc_as(server, listener, []);
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    for number in 0..50 {
        let _ = destination.offer(0, spans(&[&number.to_string()])).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 50, ..Account::default() });
    let seen: std::collections::BTreeSet<_> = peer.seen().iter().flat_map(|seen| names(&seen.body)).collect();
    assert_eq!(seen.len(), 50);
}
