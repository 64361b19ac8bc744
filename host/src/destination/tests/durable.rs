//! A durable queue between: what is kept, what is handed over, and what ends in the dead-letter file.

use super::*;
use std::path::PathBuf;

use crate::config::spec::{DurableSpec, QuarantineSpec, SyncSpec};

fn durable(client: OtlpClientSpec, folder: &Path) -> ExporterSpec {
    let queue = QueueSpec::Durable(DurableSpec {
        dir: folder.join("queue"),
        sync: SyncSpec::Always,
        max_bytes: 10 << 20,
        max_age: None,
        segment_bytes: 1 << 20,
    });
    let mut spec = ExporterSpec { queue, ..spec(client) };
    spec.retry.on_exhausted = OnExhausted::Keep;
    spec
}

async fn put(destination: &Destination, names: &[&str]) {
    let mut charge = destination.offer(0, spans(names)).unwrap();
    assert!(!charge.is_taken(), "it is not on disk yet");
    assert_eq!(charge.wait().await, Verdict::Taken);
}

/// The names of all spans that a peer was sent, in order of the names.
fn sorted(seen: &[crate::exporter::testing::Seen]) -> Vec<String> {
    let mut all: Vec<_> = seen.iter().flat_map(|seen| names(&seen.body)).collect();
    all.sort_unstable();
    all
}

fn recovered(metrics: &Metrics) -> u64 {
    metrics.exporter_recovered.counter(Signal::Traces, &ExporterLabels { exporter: ID.to_owned() }).get()
}

#[tokio::test]
async fn what_is_on_disk_is_taken_and_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc(unavailable(2)).await;
    let metrics = Metrics::default();
    let destination = start(&durable(client(&peer.url), folder.path()), &metrics);
    for name in ["a", "b", "c"] {
        put(&destination, &[name]).await;
    }
    eventually(|| account(&metrics).sent == 3).await;
    eventually(|| (queued(&metrics), destination.held_bytes()) == ((0, 0), 0)).await;
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 3, ..Account::default() });
}

#[tokio::test]
async fn f53_what_cannot_be_delivered_stays_for_the_next_start_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let dead = Peer::grpc(unavailable(100_000)).await;
    let metrics = Metrics::default();
    let destination = start(&durable(client(&dead.url), folder.path()), &metrics);
    for _ in 0..10 {
        put(&destination, &["a", "b"]).await;
    }
    dead.await_seen(4).await;
    let begun = Instant::now();
    let end = End { deadline: begun + LONG, manner: Manner::Deliver };
    let left = destination.drain(end).await.unwrap();
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
    assert_eq!((left.records, left.dir), (20, folder.path().join("queue")));
    assert_eq!((account(&metrics), queued(&metrics)), (Account::default(), (0, 0)));
    drop(destination);

    let alive = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let destination = start(&durable(client(&alive.url), folder.path()), &metrics);
    assert_eq!(recovered(&metrics), 20);
    eventually(|| account(&metrics).sent == 20).await;
    assert_eq!(destination.drain(End { deadline: Instant::now() + LONG, manner: Manner::Deliver }).await, None);
    assert_eq!(queued(&metrics), (0, 0));
}

#[tokio::test]
async fn an_end_delivers_as_long_as_that_goes_well() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = durable(client(&peer.url), folder.path());
    spec.batch.min_records = 100;
    spec.batch.timeout = Duration::from_secs(3600);
    let destination = start(&spec, &metrics);
    for _ in 0..20 {
        put(&destination, &["a"]).await;
    }
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 20, ..Account::default() });
    assert_eq!(peer.seen().len(), 1, "they are merged all the same");
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_peer_that_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc([Reply::Hang, Reply::Hang]).await;
    let destination = start(&durable(client(&peer.url), folder.path()), &Metrics::default());
    put(&destination, &["a"]).await;
    put(&destination, &["b"]).await;
    peer.await_seen(2).await;
    let begun = Instant::now();
    let end = End { deadline: begun + LONG, manner: Manner::Deliver };
    assert_eq!(destination.drain(end).await.unwrap().records, 2);
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn f98_a_queue_is_handed_over_without_a_loss_and_not_before_the_heir_serves() {
    let folder = tempfile::tempdir().unwrap();
    let (dead, alive) = (Peer::grpc(unavailable(100_000)).await, Peer::grpc([]).await);
    let (metrics, queues) = (Metrics::default(), Arc::default());
    let old = start_on(&durable(client(&dead.url), folder.path()), &[Handle::current()], &metrics, &queues);
    for _ in 0..10 {
        put(&old, &["a", "b"]).await;
    }
    let site = Site {
        shards: &[Handle::current()],
        metrics: &metrics,
        queues: &queues,
        dead_letters: &DeadLetters::default(),
    };
    let heir = Destination::build(ID, &durable(client(&alive.url), folder.path()), site).unwrap();
    dead.await_seen(6).await;
    assert_eq!(alive.seen().len(), 0, "it may never come to serve");
    heir.serve();
    put(&old, &["late"]).await;
    assert_eq!(old.drain(End { deadline: Instant::now() + LONG, manner: Manner::HandOver }).await, None);
    eventually(|| account(&metrics).sent == 21).await;
    assert_eq!(sorted(&alive.seen()).len(), 21);
    drain(&heir, LONG).await;
    assert_eq!((queued(&metrics), recovered(&metrics)), ((0, 0), 0));
}

#[tokio::test]
async fn a_destination_that_never_serves_leaves_its_queue_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dead = Peer::grpc(unavailable(100_000)).await;
    let first = start(&durable(client(&dead.url), folder.path()), &Metrics::default());
    put(&first, &["a"]).await;
    drain(&first, LONG).await;
    drop(first);
    let peer = Peer::grpc([]).await;
    let (metrics, queues) = (Metrics::default(), Arc::default());
    let spec = durable(client(&peer.url), folder.path());
    for _ in 0..2 {
        let site = Site {
            shards: &[Handle::current()],
            metrics: &metrics,
            queues: &queues,
            dead_letters: &DeadLetters::default(),
        };
        let built = Destination::build(ID, &spec, site).unwrap();
        let end = End { deadline: Instant::now(), manner: Manner::HandOver };
        assert_eq!(built.drain(end).await, None);
    }
    assert_eq!((peer.seen().len(), queued(&metrics)), (0, (0, 0)));
    let served = start_on(&spec, &[Handle::current()], &metrics, &queues);
    peer.await_seen(1).await;
    drain(&served, LONG).await;
    assert_eq!(recovered(&metrics), 1);
}

#[tokio::test]
async fn what_is_kept_is_tried_beyond_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc(unavailable(12)).await;
    let metrics = Metrics::default();
    let mut spec = durable(client(&peer.url), folder.path());
    spec.retry.max_elapsed_time = Duration::from_millis(50);
    let destination = start(&spec, &metrics);
    put(&destination, &["a"]).await;
    eventually(|| account(&metrics).sent == 1).await;
    assert_eq!(account(&metrics), Account { sent: 1, ..Account::default() });
    drain(&destination, LONG).await;
}

fn dead_letter(path: PathBuf) -> QuarantineSpec {
    QuarantineSpec { path, max_bytes: 1 << 20, max_backups: 1 }
}

/// What stands in a dead-letter file: its lines.
fn dead_letters(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_given_up_ends_in_the_dead_letter_file_whatever_queue_it_came_from() {
    for is_durable in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Reply::Status(Status::invalid_argument("never"));
        let peer = Peer::grpc([refusal].into_iter().chain(unavailable(1000))).await;
        let metrics = Metrics::default();
        let mut spec = if is_durable { durable(client(&peer.url), folder.path()) } else { spec(client(&peer.url)) };
        spec.dead_letter = Some(dead_letter(folder.path().join("dead.jsonl")));
        spec.retry.on_exhausted = OnExhausted::DeadLetter;
        spec.retry.max_elapsed_time = Duration::from_millis(50);
        let destination = start(&spec, &metrics);
        for (name, reason) in [("refused-span", "refused_by_peer"), ("tired-span", "retries_exhausted")] {
            let _ = destination.offer(0, spans(&[name])).unwrap().wait().await;
            eventually(|| dropped(&metrics, reason) == 1).await;
            let lines = dead_letters(&folder.path().join("dead.jsonl"));
            let last = lines.last().unwrap();
            assert!(last.contains(name) && last.contains(reason) && last.contains(ID), "{last}");
        }
        drain(&destination, LONG).await;
        assert_eq!((account(&metrics).send_failed, queued(&metrics)), (2, (0, 0)));
    }
}

#[tokio::test]
async fn a_dead_letter_file_that_takes_nothing_leaves_it_in_the_durable_queue() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc([Reply::Status(Status::invalid_argument("never"))]).await;
    let metrics = Metrics::default();
    let mut spec = durable(client(&peer.url), folder.path());
    spec.dead_letter = Some(dead_letter("/dev/full".into()));
    let destination = start(&spec, &metrics);
    put(&destination, &["a"]).await;
    peer.await_seen(1).await;
    let end = End { deadline: Instant::now() + LONG, manner: Manner::Deliver };
    assert_eq!(destination.drain(end).await.unwrap().records, 1);
    assert_eq!(dropped(&metrics, "refused_by_peer"), 0);
}

#[tokio::test]
async fn f24_a_full_durable_queue_refuses_and_takes_again() {
    let folder = tempfile::tempdir().unwrap();
    // So often that the queue is full before the peer takes anything, however slow the disk.
    let peer = Peer::grpc(unavailable(1000)).await;
    let metrics = Metrics::default();
    let mut spec = durable(client(&peer.url), folder.path());
    if let QueueSpec::Durable(durable) = &mut spec.queue {
        durable.max_bytes = 64 << 10;
    }
    let destination = start(&spec, &metrics);
    let large = "x".repeat(10_000);
    let mut taken = 0;
    let full = loop {
        match destination.offer(0, spans(&[&large])) {
            Ok(mut charge) => taken += u64::from(charge.wait().await == Verdict::Taken),
            Err(full) => break full,
        }
        assert!(taken < 10, "it takes more than it may");
    };
    assert_eq!(full.to_string(), "the queue of exporter `otlp/test` is full");
    eventually(|| account(&metrics).sent == taken).await;
    eventually(|| destination.offer(0, spans(&[&large])).is_ok()).await;
    drain(&destination, LONG).await;
}

#[tokio::test]
async fn f98_an_heir_brings_its_own_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::grpc(unavailable(100_000)).await;
    let (metrics, queues) = (Metrics::default(), Arc::default());
    let sized = |bytes| {
        let mut spec = durable(client(&peer.url), folder.path());
        if let QueueSpec::Durable(durable) = &mut spec.queue {
            durable.max_bytes = bytes;
        }
        spec
    };
    let old = start_on(&sized(64 << 10), &[Handle::current()], &metrics, &queues);
    let large = "x".repeat(30_000);
    while let Ok(mut charge) = old.offer(0, spans(&[&large])) {
        assert_eq!(charge.wait().await, Verdict::Taken);
    }
    let heir = start_on(&sized(1 << 20), &[Handle::current()], &metrics, &queues);
    for _ in 0..5 {
        put(&heir, &[&large]).await;
    }
    for one in [old, heir] {
        one.drain(End { deadline: Instant::now(), manner: Manner::HandOver }).await;
    }
}
