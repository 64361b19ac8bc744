//! Taking, handing out, delivering, and finding it again.

use super::*;

#[tokio::test]
async fn entries_come_out_as_they_went_in_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(dir.path());
    for n in 0..50 {
        append(&queue, payload(n, 100 + n as usize)).await.unwrap();
    }
    assert_eq!((queue.held().entries, queue.held().records), (50, (0..50).map(|n| n % 5 + 1).sum()));
    for n in 0..50 {
        let stored = next(&queue).await;
        assert_eq!(stored.payload, payload(n, 100 + n as usize));
        stored.delivered();
    }
    assert_eq!(queue.held(), Tally::default());
    within(queue.finish()).await;
    let queue = open(dir.path());
    assert_eq!(queue.held(), Tally::default());
}

#[tokio::test]
async fn what_is_not_delivered_is_found_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(dir.path());
    for n in 0..20 {
        append(&queue, payload(n, 300)).await.unwrap();
    }
    let mut out = Vec::new();
    for _ in 0..10 {
        out.push(next(&queue).await);
    }
    for (n, stored) in out.into_iter().enumerate() {
        if n % 2 == 0 {
            stored.delivered();
        }
    }
    within(queue.finish()).await;
    let queue = open(dir.path());
    assert_eq!(queue.held().entries, 15);
    assert_eq!(drain(&queue).await, [1, 3, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
}

#[tokio::test]
async fn an_entry_that_comes_back_is_handed_out_again_and_first() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(dir.path());
    for n in 0..3 {
        append(&queue, payload(n, 300)).await.unwrap();
    }
    let (first, second) = (next(&queue).await, next(&queue).await);
    drop(first);
    second.delivered();
    let mut numbers = drain(&queue).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 2]);
}
