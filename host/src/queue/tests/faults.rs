//! Disks that fill up and fail, files that were damaged, directories that cannot be used.

use super::disk::{Dice, FakeDisk, Faults};
use super::*;
use crate::queue::{cursor, segment};
use crate::telemetry::metrics::{ExporterLabels, LossLabels, QueueFailureLabels};

const DIR: &str = "/queue";

fn dir() -> &'static Path {
    Path::new(DIR)
}

fn open_fake(disk: &FakeDisk, options: &Options) -> (Queue, Metrics) {
    open_with(Arc::new(disk.clone()), dir(), options)
}

fn labels() -> ExporterLabels {
    ExporterLabels { exporter: "test".to_owned() }
}

fn failures(metrics: &Metrics, act: &'static str) -> u64 {
    metrics.queue_failures.get_or_create_owned(&QueueFailureLabels { exporter: "test".to_owned(), act }).get()
}

fn dropped(metrics: &Metrics, reason: &'static str) -> u64 {
    let labels = |signal| LossLabels { signal, component: "test".to_owned(), reason };
    Signal::ALL.into_iter().map(|signal| metrics.dropped.get_or_create_owned(&labels(signal)).get()).sum()
}

fn segments(disk: &FakeDisk) -> Vec<std::path::PathBuf> {
    let is_segment = |path: &std::path::PathBuf| segment::id_of(path.file_name().unwrap().to_str().unwrap()).is_some();
    disk.paths().into_iter().filter(is_segment).collect()
}

/// A disk with these entries in one segment, left by a process that was killed.
async fn killed_with(numbers: std::ops::Range<u64>, size: usize) -> FakeDisk {
    let disk = FakeDisk::new(dir());
    let (queue, _) = open_fake(&disk, &Options::default());
    for number in numbers {
        append(&queue, payload(number, size)).await.unwrap();
    }
    disk.kill()
}

/// Appends until it works again.
async fn append_in_the_end(queue: &Queue, payload: Payload) {
    within(async {
        loop {
            if let Ok(place) = queue.reserve(payload.bytes.len())
                && place.append(payload.clone()).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn f43_a_torn_tail_is_cut_off() {
    for cut in [1, 43, 44, 45, 100, 343] {
        let disk = killed_with(0..10, 300).await;
        let path = segments(&disk).pop().unwrap();
        disk.damage(&path, |bytes| bytes.truncate(bytes.len() - cut));
        let (queue, metrics) = open_fake(&disk, &Options::default());
        assert_eq!(queue.held().entries, 9, "cut {cut}");
        assert_eq!(metrics.queue_quarantined.get_or_create_owned(&labels()).get(), 0);
        append(&queue, payload(10, 300)).await.unwrap();
        assert_eq!(drain(&queue).await, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
    }
}

#[tokio::test]
async fn f43_a_tail_of_zeros_is_cut_off() {
    let disk = killed_with(0..10, 300).await;
    let path = segments(&disk).pop().unwrap();
    disk.damage(&path, |bytes| bytes.resize(bytes.len() + 5000, 0));
    let (queue, _) = open_fake(&disk, &Options::default());
    assert_eq!(drain(&queue).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn f44_a_flipped_bit_costs_one_entry_wherever_it_is() {
    let frame = 344;
    let sound = killed_with(0..10, 300).await;
    let bytes = sound.content(&segments(&sound)[0]);
    // The third frame, in its mark, its length, its sequence number, its checksums and its payload.
    for offset in [0, 5, 10, 33, 41, 44, 200, 343] {
        let disk = sound.kill();
        let path = segments(&disk).pop().unwrap();
        let at = segment::HEADER_BYTES + 2 * frame + offset;
        disk.damage(&path, |bytes| bytes[at] ^= 4);
        let (queue, metrics) = open_fake(&disk, &Options::default());
        assert_eq!(drain(&queue).await, [0, 1, 3, 4, 5, 6, 7, 8, 9], "offset {offset}");
        assert_eq!(metrics.queue_quarantined.get_or_create_owned(&labels()).get(), 1, "offset {offset}");
        assert_eq!(metrics.queue_quarantined_bytes.get_or_create_owned(&labels()).get(), frame as u64);
        let copies = disk.paths().into_iter().filter(|path| path.to_string_lossy().ends_with(".damaged"));
        let copies: Vec<_> = copies.map(|path| disk.content(&path)).collect();
        let mut expected = bytes[segment::HEADER_BYTES + 2 * frame..][..frame].to_vec();
        expected[offset] ^= 4;
        assert_eq!(copies, [expected], "offset {offset}");
    }
}

#[tokio::test]
async fn f44_records_of_a_damaged_entry_are_counted_as_dropped() {
    let disk = killed_with(0..10, 300).await;
    // Sealed first, so that the footer knows what was in it.
    let (queue, _) = open_fake(&disk, &Options::default());
    within(queue.finish()).await;
    let path = segments(&disk).pop().unwrap();
    disk.damage(&path, |bytes| bytes[segment::HEADER_BYTES + 2 * 344] ^= 1);
    let (queue, metrics) = open_fake(&disk, &Options::default());
    assert_eq!(drain(&queue).await, [0, 1, 3, 4, 5, 6, 7, 8, 9]);
    // What `payload(2, …)` has.
    assert_eq!(dropped(&metrics, "damaged"), 3);
    within(queue.finish()).await;
    assert_eq!(open_fake(&disk, &Options::default()).0.held(), Tally::default());
}

#[tokio::test]
async fn f44_a_client_cannot_write_a_frame_into_a_payload() {
    let disk = killed_with(0..1, 300).await;
    let forged = disk.content(&segments(&disk)[0])[segment::HEADER_BYTES..].to_vec();
    let disk = FakeDisk::new(dir());
    let (queue, _) = open_fake(&disk, &Options::default());
    let poison = Payload { signal: Signal::Logs, bytes: forged.into(), records: 1 };
    append(&queue, poison).await.unwrap();
    append(&queue, payload(1, 300)).await.unwrap();
    let disk = disk.kill();
    disk.damage(&segments(&disk)[0], |bytes| bytes[segment::HEADER_BYTES] ^= 1);
    let (queue, _) = open_fake(&disk, &Options::default());
    assert_eq!(drain(&queue).await, [1]);
}

#[tokio::test]
async fn f45_a_corrupt_or_missing_cursor_makes_duplicates_and_loses_nothing() {
    for missing in [false, true] {
        let disk = FakeDisk::new(dir());
        let (queue, _) = open_fake(&disk, &Options::default());
        for number in 0..10 {
            append(&queue, payload(number, 300)).await.unwrap();
        }
        for _ in 0..4 {
            next(&queue).await.delivered();
        }
        within(queue.finish()).await;
        let path = cursor::path(dir());
        match missing {
            true => disk.remove(&path).unwrap(),
            false => disk.damage(&path, |bytes| bytes.fill(0x5a)),
        }
        let (queue, metrics) = open_fake(&disk, &Options::default());
        assert_eq!(failures(&metrics, "cursor"), 1);
        assert_eq!(drain(&queue).await, (0..10).collect::<Vec<_>>());
        // And it is a sound one again.
        within(queue.finish()).await;
        let (queue, metrics) = open_fake(&disk, &Options::default());
        assert_eq!((queue.held().entries, failures(&metrics, "cursor")), (0, 0));
    }
}

#[tokio::test]
async fn f46_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = FakeDisk::new(dir());
    let (queue, metrics) = open_fake(&disk, &Options::default());
    append(&queue, payload(0, 300)).await.unwrap();
    disk.set(Faults { capacity: Some(60_000), ..Faults::default() });
    let mut taken = 1;
    let refused = loop {
        match append(&queue, payload(taken, 3000)).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(refused.to_string().contains("no storage space"), "{refused}");
    assert!(matches!(queue.reserve(10), Err(Full::Failing { .. })) && queue.is_running());
    // It goes on delivering.
    next(&queue).await.delivered();
    disk.set(Faults::default());
    append_in_the_end(&queue, payload(taken, 300)).await;
    assert_eq!(failures(&metrics, "write"), 1);
    // What is handed out now says that the mark of the first one is written.
    drop(next(&queue).await);
    let disk = disk.kill();
    let (queue, _) = open_fake(&disk, &Options::default());
    assert_eq!(drain(&queue).await, (1..=taken).collect::<Vec<_>>());
}

#[tokio::test]
async fn f47_after_a_failed_sync_the_segment_is_not_trusted() {
    let disk = FakeDisk::new(dir());
    let (queue, metrics) = open_fake(&disk, &Options::default());
    append(&queue, payload(0, 300)).await.unwrap();
    disk.set(Faults { syncs: 1, ..Faults::default() });
    assert!(append(&queue, payload(1, 300)).await.is_err());
    append_in_the_end(&queue, payload(2, 300)).await;
    assert_eq!((failures(&metrics, "sync"), segments(&disk).len()), (1, 2));
    for seed in 0..20 {
        let (queue, _) = open_fake(&disk.cut_power(&mut Dice::new(seed)), &Options::default());
        let found = drain(&queue).await;
        assert!(found == [0, 2] || found == [0, 1, 2], "{found:?}");
    }
}

#[tokio::test]
async fn f49_a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(dir.path());
    let second = Queue::open(dir.path(), &Options::default(), Meter::new("b", 1, &Metrics::default())).unwrap_err();
    assert!(matches!(second, OpenError::Locked { .. }));
    assert!(second.to_string().contains("in use by another process; end that one, or give each its own directory"));
    within(queue.finish()).await;
    open(dir.path());
}

#[test]
fn f50_a_directory_that_cannot_be_used_is_told_with_the_mend() {
    let refused = |files: Arc<dyn Files>, dir: &Path| {
        let meter = Meter::new("test", 1, &Metrics::default());
        Queue::open_on(files, dir, &Options::default(), meter).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Arc::new(Disk), Path::new("/nowhere/at/all")),
        "there is no folder `/nowhere/at/all` for the queue; create it with `mkdir -p '/nowhere/at/all'`"
    );
    let disk = FakeDisk::new(dir());
    disk.set(Faults { read_only: true, ..Faults::default() });
    let text = refused(Arc::new(disk), dir());
    assert!(text.starts_with("cannot take the lock in the queue `/queue`: read-only filesystem"), "{text}");
    assert!(text.contains("must be readable and writable for this user"), "{text}");
}

#[tokio::test]
async fn f51_a_later_format_is_refused_and_left_as_it_is() {
    let disk = killed_with(0..5, 300).await;
    let cursor_path = cursor::path(dir());
    for path in [segments(&disk).pop().unwrap(), cursor_path.clone()] {
        let disk = disk.kill();
        // Torn as well: it must not be repaired.
        let segment = segments(&disk).pop().unwrap();
        disk.damage(&segment, |bytes| bytes.truncate(bytes.len() - 7));
        disk.damage(&path, |bytes| {
            let at = if path == cursor_path { (0..3).find(|slot| bytes[slot * (16 << 10)] != 0).unwrap() } else { 0 };
            bytes[at * (16 << 10) + 8] = 2;
        });
        let before: Vec<_> = disk.paths().into_iter().map(|path| (disk.content(&path), path)).collect();
        let meter = Meter::new("test", 1, &Metrics::default());
        let error = Queue::open_on(Arc::new(disk.clone()), dir(), &Options::default(), meter).unwrap_err();
        assert!(matches!(error, OpenError::Newer { version: 2, .. }), "{error}");
        let after: Vec<_> = disk.paths().into_iter().map(|path| (disk.content(&path), path)).collect();
        assert!(before == after);
    }
}

#[tokio::test]
async fn f52_a_start_reads_little_of_a_large_backlog() {
    let disk = FakeDisk::new(dir());
    let options = Options { segment_bytes: 256 << 10, ..Options::default() };
    let (queue, _) = open_fake(&disk, &options);
    let mut written = Vec::new();
    for number in 0..3000 {
        written.push(queue.reserve(8000).unwrap().append(payload(number, 8000)));
        if number % 500 == 499 {
            for written in written.drain(..) {
                within(written).await.unwrap();
            }
        }
    }
    let disk = disk.kill();
    let meter = Meter::new("test", 1, &Metrics::default());
    let names = disk.list(dir()).unwrap();
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let quarantine = Quarantine::new(files.clone(), dir(), &names);
    let recovery = Recovery { dir: dir(), files: &*files, meter: &meter, quarantine: &quarantine };
    let found = recovery.run(&names).unwrap();
    let count = found.segments.len() as u64;
    assert!(count > 80, "{count}");
    // A header and a footer each, and the last segment in whole.
    assert!(disk.bytes_read() < count * 200 + (512 << 10), "{} of {count}", disk.bytes_read());
    let total: u64 = found.segments.values().map(|segment| segment.unread.total().entries).sum();
    assert_eq!(total, 3000);
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_given_up_in_the_end_and_its_file_is_kept() {
    let disk = killed_with(0..5, 300).await;
    disk.set(Faults::default());
    let (queue, _) = open_fake(&disk, &Options::default());
    within(queue.finish()).await;
    disk.set(Faults { reads: true, ..Faults::default() });
    // Judging a segment reads it, too: a disk that cannot be read at the start is told there.
    let meter = Meter::new("test", 1, &Metrics::default());
    let refused = Queue::open_on(Arc::new(disk.clone()), dir(), &Options::default(), meter).unwrap_err();
    assert!(refused.to_string().contains("cannot read a segment"), "{refused}");
    disk.set(Faults::default());
    // Nothing is ready yet when it begins to fail, as there is more than is kept ready.
    let (queue, metrics) = open_fake(&disk, &Options::default());
    let stored = next(&queue).await;
    disk.set(Faults { reads: true, ..Faults::default() });
    drop(stored);
    within(async {
        while failures(&metrics, "read") < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    disk.set(Faults::default());
    for _ in 0..4 {
        next(&queue).await.delivered();
    }
    within(queue.finish()).await;
    let kept = disk.paths().into_iter().any(|path| path.to_string_lossy().ends_with(".segment.damaged"));
    assert!(kept, "{:?}", disk.paths());
}
