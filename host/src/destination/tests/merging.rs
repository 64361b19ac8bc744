//! What becomes one request: batches, their limits, the lanes that make them.

use super::*;

#[tokio::test]
async fn payloads_are_merged_and_delivered() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 3;
    let destination = start(&spec, &metrics);
    for payload in [spans(&["a"]), spans(&["b", "c"]), spans(&["d"])] {
        assert!(destination.offer(0, payload).unwrap().is_taken());
    }
    let seen = peer.await_seen(2).await;
    assert_eq!(names(&seen[0].body), ["a", "b", "c"]);
    assert_eq!(names(&seen[1].body), ["d"]);
    assert_eq!(seen[0].path, Signal::Traces.grpc_path());
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 4, ..Account::default() });
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
}

#[tokio::test]
async fn what_is_small_waits_for_its_timeout() {
    let peer = Peer::grpc([]).await;
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 100;
    let destination = start(&spec, &Metrics::default());
    let begun = Instant::now();
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let _ = destination.offer(0, spans(&["b"])).unwrap();
    let seen = peer.await_seen(1).await;
    assert_eq!(names(&seen[0].body), ["a", "b"]);
    assert!(seen[0].at - begun >= spec.batch.timeout);
}

#[tokio::test]
async fn signals_never_mix() {
    let peer = Peer::grpc([]).await;
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 2;
    let destination = start(&spec, &Metrics::default());
    let logs = Payload { signal: Signal::Logs, bytes: Bytes::from_static(&[0x0a, 4, 0x12, 2, 0x12, 0]), records: 1 };
    for payload in [spans(&["a"]), logs.clone(), spans(&["b"]), logs.clone()] {
        let _ = destination.offer(0, payload).unwrap();
    }
    let mut seen = peer.await_seen(2).await;
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(seen[0].path, Signal::Logs.grpc_path());
    assert_eq!(seen[0].body, [&logs.bytes[..], &logs.bytes[..]].concat());
    assert_eq!(names(&seen[1].body), ["a", "b"]);
}

#[tokio::test]
async fn a_batch_never_crosses_its_limit_of_records() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.max_records = 2;
    spec.batch.min_records = 2;
    let destination = start(&spec, &metrics);
    for payload in [spans(&["a"]), spans(&["b", "c"]), spans(&["d", "e", "f", "g", "h"])] {
        let _ = destination.offer(0, payload).unwrap();
    }
    drain(&destination, LONG).await;
    let mut all = Vec::new();
    for seen in peer.seen() {
        let names = names(&seen.body);
        assert!(names.len() <= 2);
        all.extend(names);
    }
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(account(&metrics), Account { sent: 8, ..Account::default() });
}

#[tokio::test]
async fn f38_a_record_over_the_request_limit_is_dropped_alone() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.max_bytes = 300;
    let destination = start(&spec, &metrics);
    let large = "x".repeat(1000);
    let _ = destination.offer(0, spans(&["a", &large, "b", "c", "d", "e", "f"])).unwrap();
    drain(&destination, LONG).await;
    let seen = peer.seen();
    assert!(seen.len() > 1 && seen.iter().all(|seen| seen.body.len() <= 300));
    let mut all: Vec<_> = seen.iter().flat_map(|seen| names(&seen.body)).collect();
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((account(&metrics).sent, dropped(&metrics, "too_large")), (6, 1));
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
}

#[tokio::test]
async fn each_shard_has_a_lane_of_its_own() {
    let peer = Peer::grpc([]).await;
    let shards = [Handle::current(), Handle::current()];
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 2;
    let destination = start_on(&spec, &shards, &metrics, &Arc::default());
    for shard in [0, 1, 0, 1] {
        let _ = destination.offer(shard, spans(&[if shard == 0 { "even" } else { "odd" }])).unwrap();
    }
    let mut all: Vec<_> = peer.await_seen(2).await.iter().map(|seen| names(&seen.body)).collect();
    all.sort();
    assert_eq!(all, [["even", "even"], ["odd", "odd"]]);
    assert!(destination.is_running());
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics).sent, 4);
}

#[tokio::test]
async fn e01_a_request_is_within_the_limit_in_the_form_that_is_sent() {
    let peer = Peer::http([]).await;
    let metrics = Metrics::default();
    let http = OtlpHttpClientSpec {
        client: client(&peer.url),
        encoding: Encoding::Json,
        endpoints: std::collections::BTreeMap::new(),
    };
    let mut spec = spec(client(&peer.url));
    spec.target = TargetSpec::OtlpHttp(http);
    spec.batch = BatchSpec { max_bytes: 4000, min_records: 1000, ..spec.batch };
    let destination = start(&spec, &metrics);
    for _ in 0..10 {
        let _ = destination.offer(0, spans(&["a"; 30])).unwrap();
    }
    drain(&destination, LONG).await;
    assert!(peer.seen().len() > 1 && peer.seen().iter().all(|seen| seen.body.len() <= 4000));
    assert_eq!(account(&metrics), Account { sent: 300, ..Account::default() });
}

#[tokio::test]
async fn a_file_has_one_lane_for_all_shards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let metrics = Metrics::default();
    let mut spec = spec(client("http://unused"));
    spec.target = TargetSpec::File(FileSpec { path: path.clone(), compression: Compression::None, rotation: None });
    let shards = [Handle::current(), Handle::current()];
    let destination = start_on(&spec, &shards, &metrics, &Arc::default());
    for shard in 0..10 {
        let _ = destination.offer(shard, spans(&["a"])).unwrap();
    }
    drain(&destination, LONG).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 10);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_eq!(account(&metrics).sent, 10);
}

#[tokio::test]
async fn merging_stays_below_what_peers_take() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 1_000_000;
    spec.queue = QueueSpec::Memory { max_bytes: 64 << 20 };
    let destination = start(&spec, &metrics);
    let large = "x".repeat(1 << 20);
    for _ in 0..7 {
        let _ = destination.offer(0, spans(&[&large])).unwrap();
    }
    let _ = destination.offer(0, spans(&[&large, &large, &large, &large, &large])).unwrap();
    drain(&destination, LONG).await;
    let mut sizes: Vec<_> = peer.seen().iter().map(|seen| names(&seen.body).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 2, 2, 5], "only what came as one request is larger");
}

#[tokio::test]
async fn lanes_work_on_runtimes_of_their_own() {
    let peer = Peer::grpc([]).await;
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtimes = [runtime(), runtime()];
    let shards: Vec<_> = runtimes.iter().map(|runtime| runtime.handle().clone()).collect();
    let metrics = Metrics::default();
    let destination = start_on(&spec(client(&peer.url)), &shards, &metrics, &Arc::default());
    let senders = (0..2).map(|shard| {
        let destination = destination.clone();
        shards[shard].spawn(async move {
            for _ in 0..100 {
                let _ = destination.offer(shard, spans(&["a"])).unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 200, ..Account::default() });
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
    runtimes.into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
}
