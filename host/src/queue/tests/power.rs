//! F41, F42: an outside ledger of what was acknowledged and delivered, against what the next process finds.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex as Lock;

use super::disk::{Dice, FakeDisk, Faults};
use super::*;

const DIR: &str = "/queue";

/// What happened, told by those outside.
#[derive(Debug, Default)]
struct Ledger {
    next: AtomicU64,
    /// Entries that the queue answered for; with the sync of the disk that was the last to begin before that.
    acked: Lock<Vec<(u64, u64)>>,
    delivered: Lock<BTreeSet<u64>>,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Kill,
    PowerLoss,
}

fn options(sync: Sync) -> Options {
    // Small segments, so that a run has many.
    Options { sync, max_bytes: 1 << 30, max_age: None, segment_bytes: 8 << 10 }
}

async fn produce(queue: Queue, disk: FakeDisk, ledger: Arc<Ledger>, mut dice: Dice) {
    loop {
        let number = ledger.next.fetch_add(1, Ordering::Relaxed);
        let size = if dice.one_in(10) { 3000 } else { 20 + dice.below(600) as usize };
        match queue.reserve(size) {
            Ok(place) => {
                if place.append(payload(number, size)).await.is_ok() {
                    let begun = disk.syncs().0;
                    ledger.acked.lock().push((number, begun));
                }
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        tokio::task::yield_now().await;
    }
}

async fn consume(queue: Queue, ledger: Arc<Ledger>, mut dice: Dice) {
    while let Some(stored) = queue.next().await {
        if dice.one_in(4) {
            tokio::time::sleep(Duration::from_millis(dice.below(4))).await;
        }
        if dice.one_in(8) {
            drop(stored);
        } else {
            ledger.delivered.lock().insert(number(&stored.payload));
            stored.delivered();
        }
    }
}

/// Runs a queue until it has acknowledged some more, ends it, and gives the disk to the next.
async fn live(disk: &FakeDisk, sync: Sync, end: End, ledger: &Arc<Ledger>, dice: &mut Dice) -> FakeDisk {
    let (queue, _) = open_with(Arc::new(disk.clone()), Path::new(DIR), &options(sync));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let seed = Dice::new(dice.below(u64::MAX));
        tasks.spawn(produce(queue.clone(), disk.clone(), ledger.clone(), seed));
    }
    for _ in 0..dice.below(3) {
        tasks.spawn(consume(queue.clone(), ledger.clone(), Dice::new(dice.below(u64::MAX))));
    }
    let goal = ledger.acked.lock().len() + dice.below(60) as usize;
    let fault_at = if dice.one_in(2) { ledger.acked.lock().len() + dice.below(30) as usize } else { usize::MAX };
    within(async {
        let mut failed = false;
        while ledger.acked.lock().len() < goal {
            if !failed && ledger.acked.lock().len() >= fault_at {
                failed = true;
                disk.set(Faults { syncs: 1 + dice.below(2) as u32, ..Faults::default() });
            }
            tokio::time::sleep(Duration::from_micros(dice.below(3000))).await;
        }
    })
    .await;
    // What is acknowledged from here on may be lost: the ledger is closed before the end.
    let (acked, delivered) = (ledger.acked.lock().clone(), ledger.delivered.lock().clone());
    let synced = disk.syncs().1;
    let next = match end {
        End::Kill => disk.kill(),
        End::PowerLoss => disk.cut_power(dice),
    };
    tasks.shutdown().await;
    drop(queue);
    let (found, _) = open_with(Arc::new(next.clone()), Path::new(DIR), &options(sync));
    let there: BTreeSet<u64> = drain(&found).await.into_iter().collect();
    let promised = |(number, begun): &(u64, u64)| match (sync, end) {
        (Sync::Always, _) | (_, End::Kill) => Some(*number),
        // A sync that began after it was acknowledged has ended well.
        (Sync::Interval(_), End::PowerLoss) => (*begun < synced).then_some(*number),
    };
    // A sync that failed takes what it was for, which was acknowledged before.
    let faulty = fault_at != usize::MAX && matches!(sync, Sync::Interval(_));
    let lost: Vec<_> = acked
        .iter()
        .filter_map(promised)
        .filter(|number| !there.contains(number) && !delivered.contains(number))
        .collect();
    assert!(lost.is_empty() || faulty, "lost: {lost:?}");
    within(found.finish()).await;
    ledger.delivered.lock().extend(there);
    ledger.acked.lock().clear();
    next.kill()
}

fn run(sync: Sync, end: End, seeds: std::ops::Range<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for seed in seeds {
        let mut dice = Dice::new(seed + 1);
        let mut disk = FakeDisk::new(Path::new(DIR));
        let ledger = Arc::new(Ledger::default());
        for _ in 0..3 {
            disk = runtime.block_on(live(&disk, sync, end, &ledger, &mut dice));
        }
    }
}

#[test]
fn f41_a_killed_process_loses_nothing_that_it_acknowledged() {
    run(Sync::Always, End::Kill, 0..15);
    run(Sync::Interval(Duration::from_millis(20)), End::Kill, 100..115);
}

#[test]
fn f42_a_power_loss_takes_nothing_that_was_acknowledged_with_sync_always() {
    run(Sync::Always, End::PowerLoss, 1000..1040);
}

#[test]
fn f42_a_power_loss_takes_no_more_than_the_last_interval() {
    run(Sync::Interval(Duration::from_millis(10)), End::PowerLoss, 2000..2030);
}
