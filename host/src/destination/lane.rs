//! A lane: the task of one shard that takes payloads from its queue, merges them, and has some batches under way.
//!
//! Everything runs on that one task, deliveries included, so that the way from the receiver's connection to the
//! exporter's stays on one thread. While all deliveries are busy nothing is taken from the queue; it fills up, and
//! that is what the clients feel.

use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::batch::{Batcher, Entry};
use super::delivery::Courier;
use crate::supervise::fault_point;

/// One lane, before it runs.
#[derive(Debug)]
pub struct Lane {
    /// Its queue.
    pub entries: mpsc::Receiver<Entry>,
    /// What merges.
    pub batcher: Batcher,
    /// What delivers.
    pub courier: Courier,
    /// Deliveries that may be under way at once.
    pub in_flight_max: usize,
}

impl Lane {
    /// Runs until the destination is stopped, all senders are gone, and everything taken is accounted for.
    pub async fn run(self) {
        let Lane { mut entries, mut batcher, courier, in_flight_max } = self;
        let mut under_way = FuturesUnordered::new();
        let mut open = true;
        let mut stopping = false;
        let mut asked = pin!(courier.stop.asked());
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut armed = None;
        loop {
            let now = Instant::now();
            while under_way.len() < in_flight_max {
                let Some(batch) = batcher.next(now, !open) else { break };
                under_way.push(courier.deliver(batch));
            }
            if !open && batcher.is_empty() && under_way.is_empty() {
                return;
            }
            let free = under_way.len() < in_flight_max;
            let due = batcher.due().filter(|_| free);
            if let Some(due) = due.filter(|_| armed != due) {
                timer.as_mut().reset(due);
                armed = Some(due);
            }
            tokio::select! {
                biased;
                Some(()) = under_way.next() => {}
                entry = entries.recv(), if open && free => match entry {
                    Some(entry) => {
                        fault_point("lane");
                        batcher.push(entry, Instant::now());
                    }
                    None => open = false,
                },
                () = &mut timer, if due.is_some() => armed = None,
                () = &mut asked, if !stopping => {
                    stopping = true;
                    // What was promised a place may still be sent; then the queue ends.
                    entries.close();
                }
            }
        }
    }
}
