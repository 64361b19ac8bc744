//! What the queue promises, on real files and on a disk that fails.

mod basics;
mod bounds;
mod disk;
mod faults;
mod kill;
mod model;
mod power;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::files::{Disk, Files};
use super::meter::Meter;
use super::options::Options;
use super::*;
use crate::data::{Payload, Signal};
use crate::telemetry::metrics::Metrics;

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn payload(number: u64, size: usize) -> Payload {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(size.max(8), number as u8);
    let signal = Signal::ALL[number as usize % Signal::ALL.len()];
    Payload { signal, bytes: Bytes::from(bytes), records: number % 5 + 1 }
}

fn number(payload: &Payload) -> u64 {
    u64::from_le_bytes(*payload.bytes.first_chunk().unwrap())
}

fn open_with(files: Arc<dyn Files>, dir: &Path, options: &Options) -> (Queue, Metrics) {
    let metrics = Metrics::default();
    let queue = Queue::open_on(files, dir, options, Meter::new("test", options.max_bytes, &metrics)).unwrap();
    (queue, metrics)
}

fn open(dir: &Path) -> Queue {
    open_with(Arc::new(Disk), dir, &Options::default()).0
}

async fn append(queue: &Queue, payload: Payload) -> Result<(), AppendError> {
    let place = queue.reserve(payload.bytes.len()).unwrap();
    within(place.append(payload)).await
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes too long")
}

async fn next(queue: &Queue) -> Stored {
    within(queue.next()).await.expect("the queue is open")
}

/// Everything that can be had, delivered.
async fn drain(queue: &Queue) -> Vec<u64> {
    let mut numbers = Vec::new();
    within(async {
        while queue.held().entries > 0 {
            // What turns out to be damaged is no longer held: then there is nothing to wait for.
            let Ok(stored) = tokio::time::timeout(Duration::from_millis(50), queue.next()).await else { continue };
            let stored = stored.expect("the queue is open");
            let number = number(&stored.payload);
            assert_eq!(stored.payload, payload(number, stored.payload.bytes.len()), "as it was given");
            numbers.push(number);
            stored.delivered();
        }
    })
    .await;
    numbers
}
