//! A lane: the task of one shard that takes payloads from a queue, merges them, and has some batches under way.
//!
//! Everything runs on that one task, deliveries included, so that the way from the receiver's connection to the
//! exporter's stays on one thread. While all deliveries are busy nothing is taken from the queue; it fills up, and
//! that is what the clients feel. So a lane holds in memory what is under way and one batch a signal, however much
//! lies on disk.
//!
//! Its end: what came from memory is delivered until the deadline. What came from a durable queue is delivered as
//! long as that goes well, since the rest is safe: the first failure, or two seconds without a success, ends it.

use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Duration, Instant, sleep_until};

use super::batch::Batcher;
use super::charge::Verdict;
use super::delivery::Courier;
use super::source::Source;
use super::stop::Manner;
use crate::supervise::fault_point;

/// How long a lane that ends waits for a delivery from a durable queue to succeed.
const STALL_MAX: Duration = Duration::from_secs(2);

/// One lane, before it runs.
#[derive(Debug)]
pub struct Lane {
    /// What it takes from.
    pub source: Source,
    /// What merges.
    pub batcher: Batcher,
    /// What delivers.
    pub courier: Courier,
    /// Deliveries that may be under way at once.
    pub in_flight_max: usize,
}

impl Lane {
    /// Runs until the destination is stopped, all senders are gone, and everything taken is accounted for or put back.
    pub async fn run(self) {
        let Lane { mut source, mut batcher, courier, in_flight_max } = self;
        if source.is_durable() && !courier.stop.begun().await {
            return;
        }
        let mut under_way = FuturesUnordered::new();
        let mut open = true;
        let mut stopping = false;
        let mut asked = pin!(courier.stop.asked());
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut stalled = pin!(sleep_until(Instant::now()));
        let mut armed = None;
        loop {
            let now = Instant::now();
            let closing = !open || (stopping && source.is_idle());
            while under_way.len() < in_flight_max {
                let Some(batch) = batcher.next(now, closing) else { break };
                under_way.push(courier.deliver(batch));
            }
            if closing && batcher.is_empty() && under_way.is_empty() {
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
                Some(verdict) = under_way.next() => match verdict {
                    // Its room is free again: that is all there is to it.
                    _ if !source.is_durable() => {}
                    // A delivery leaves a batch in the log only at the end, of which it may hear before this does.
                    Verdict::Undelivered => (open, batcher) = (false, batcher.emptied()),
                    Verdict::Taken | Verdict::Refused if stopping => {
                        stalled.as_mut().reset(Instant::now() + STALL_MAX);
                    }
                    Verdict::Taken | Verdict::Refused => {}
                },
                entry = source.next(), if open && free => match entry {
                    Some(entry) => {
                        fault_point("lane");
                        let now = Instant::now();
                        batcher.push(entry, now);
                        // What came since this task was woken, without a round of waiting for each.
                        while !batcher.has_ready() && let Some(entry) = source.next_at_hand() {
                            batcher.push(entry, now);
                        }
                    }
                    None => open = false,
                },
                () = &mut timer, if due.is_some() => armed = None,
                end = &mut asked, if !stopping => {
                    stopping = true;
                    stalled.as_mut().reset(Instant::now() + STALL_MAX);
                    // What was promised a place in memory may still be sent; then the queue ends.
                    source.close();
                    if source.is_durable() && end.is_none_or(|end| end.manner == Manner::HandOver) {
                        (open, batcher) = (false, batcher.emptied());
                    }
                }
                () = &mut stalled, if stopping && source.is_durable() => return,
            }
        }
    }
}
