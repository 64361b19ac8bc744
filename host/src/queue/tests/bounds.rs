//! Bounds of bytes and of age, and what is counted.

use super::disk::FakeDisk;
use super::*;
use crate::telemetry::metrics::{ExporterLabels, LossLabels};

const DIR: &str = "/queue";

fn small(max_bytes: u64) -> Options {
    Options { max_bytes, segment_bytes: 8 << 10, ..Options::default() }
}

fn open_small(disk: &FakeDisk, options: &Options) -> (Queue, Metrics) {
    open_with(Arc::new(disk.clone()), Path::new(DIR), options)
}

#[tokio::test]
async fn a_full_queue_refuses_until_something_is_delivered() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, _) = open_small(&disk, &small(64 << 10));
    let mut taken = 0;
    while let Ok(place) = queue.reserve(1000) {
        within(place.append(payload(taken, 1000))).await.unwrap();
        taken += 1;
    }
    assert_eq!(queue.reserve(1000).unwrap_err(), Full::NoRoom);
    assert!((50..=63).contains(&taken) && queue.disk_bytes() <= 64 << 10, "{taken}");
    for _ in 0..20 {
        next(&queue).await.delivered();
    }
    within(async {
        while queue.reserve(1000).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(drain(&queue).await.len() as u64, taken - 20);
}

#[tokio::test]
async fn room_that_is_reserved_is_given_back() {
    let (queue, _) = open_small(&FakeDisk::new(Path::new(DIR)), &small(10_000));
    let first = queue.reserve(6000).unwrap();
    assert_eq!(queue.reserve(6000).unwrap_err(), Full::NoRoom);
    drop(first);
    within(queue.reserve(6000).unwrap().append(payload(0, 6000))).await.unwrap();
}

#[tokio::test]
async fn a_payload_larger_than_the_queue_gets_in_alone() {
    let (queue, _) = open_small(&FakeDisk::new(Path::new(DIR)), &small(10_000));
    append(&queue, payload(0, 50_000)).await.unwrap();
    assert_eq!(queue.reserve(1).unwrap_err(), Full::NoRoom);
    assert_eq!(drain(&queue).await, [0]);
    append(&queue, payload(1, 50_000)).await.unwrap();
}

#[tokio::test]
async fn what_is_too_old_is_dropped_and_counted_though_nobody_asks_for_it() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, _) = open_small(&disk, &small(1 << 30));
    for number in 0..100 {
        append(&queue, payload(number, 1000)).await.unwrap();
    }
    within(queue.finish()).await;
    let options = Options { max_age: Some(Duration::from_millis(1)), ..small(1 << 30) };
    let (queue, metrics) = open_small(&disk, &options);
    within(async {
        while queue.held().entries > 0 || queue.disk_bytes() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let labels = |signal| LossLabels { signal, component: "test".to_owned(), reason: "expired" };
    let dropped = Signal::ALL.into_iter().map(|signal| metrics.dropped.get_or_create_owned(&labels(signal)).get());
    assert_eq!(dropped.sum::<u64>(), (0..100).map(|number| number % 5 + 1).sum::<u64>());
}

#[tokio::test]
async fn what_waits_is_counted_from_the_start() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, metrics) = open_small(&disk, &small(1 << 30));
    for number in 0..10 {
        append(&queue, payload(number, 500)).await.unwrap();
    }
    let labels = ExporterLabels { exporter: "test".to_owned() };
    let records = |metrics: &Metrics| metrics.exporter_queue_records.get_or_create_owned(&labels).get();
    assert_eq!(records(&metrics), (0..10).map(|number| number % 5 + 1).sum::<i64>());
    assert!(metrics.queue_syncs.get_or_create_owned(&labels).get() >= 10);
    next(&queue).await.delivered();
    within(queue.finish()).await;
    let (_queue, metrics) = open_small(&disk, &small(1 << 30));
    assert_eq!(records(&metrics), (1..10).map(|number| number % 5 + 1).sum::<i64>());
    assert_eq!(metrics.exporter_queue_size.get_or_create_owned(&labels).get(), 9 * 500);
    assert_eq!(metrics.queue_segments.get_or_create_owned(&labels).get(), 1);
}

#[tokio::test]
async fn many_appends_share_a_sync() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, _) = open_small(&disk, &Options::default());
    append(&queue, payload(0, 10)).await.unwrap();
    let before = disk.syncs().0;
    let written: Vec<_> = (1..=200).map(|n| queue.reserve(10).unwrap().append(payload(n, 10))).collect();
    for written in written {
        within(written).await.unwrap();
    }
    assert!(disk.syncs().0 - before <= 20, "{}", disk.syncs().0 - before);
}

#[tokio::test]
async fn in_the_steady_state_nothing_is_read_back() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, _) = open_small(&disk, &small(1 << 30));
    for number in 0..100 {
        append(&queue, payload(number, 1000)).await.unwrap();
        next(&queue).await.delivered();
    }
    assert_eq!(disk.bytes_read(), 0);
}

#[tokio::test]
async fn a_closed_queue_hands_out_nothing_and_still_marks() {
    let disk = FakeDisk::new(Path::new(DIR));
    let (queue, _) = open_small(&disk, &small(1 << 30));
    for number in 0..3 {
        append(&queue, payload(number, 100)).await.unwrap();
    }
    let stored = next(&queue).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move {
            while let Some(stored) = queue.next().await {
                drop(stored)
            }
        }
    });
    queue.close();
    within(waiting).await.unwrap();
    assert_eq!(queue.reserve(1).unwrap_err(), Full::Closed);
    stored.delivered();
    within(queue.finish()).await;
    assert_eq!(drain(&open_small(&disk, &small(1 << 30)).0).await, [1, 2]);
}
