//! The bytes of a queue in memory: shared by its lanes, so that a busy one may have more than its part, but not all.
//!
//! Half of the room is dealt out: so much of it each lane has for itself. The other half is taken by whoever comes
//! first. Without the first half, the lane that found the queue empty keeps it full: what it frees, its own clients
//! take at once, and the others send what little they get, in small requests. Half of the goodput was lost so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::charge::Held;
use super::meter::Meter;

/// What one entry of the queue costs beside its bytes; it bounds the number of entries, too.
pub const ENTRY_BYTES: usize = 256;

/// The room of all lanes of a destination.
#[derive(Debug)]
pub struct Room {
    /// Bytes that are held.
    used: AtomicUsize,
    /// Of these, the ones that are nobody's own.
    pooled: AtomicUsize,
    pool: usize,
    /// Bytes that each lane holds, and how many it has for itself.
    lanes: Box<[AtomicUsize]>,
    own: usize,
    meter: Arc<Meter>,
}

impl Room {
    pub(super) fn new(capacity: usize, lanes: usize, meter: Arc<Meter>) -> Arc<Self> {
        let lanes: Box<[_]> = (0..lanes.max(1)).map(|_| AtomicUsize::new(0)).collect();
        let own = capacity / 2 / lanes.len();
        let pool = capacity - own * lanes.len();
        Arc::new(Room { used: AtomicUsize::new(0), pooled: AtomicUsize::new(0), pool, lanes, own, meter })
    }

    /// Bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Holds room for a payload of a lane. One that is larger than a lane may ever have gets in when there is nothing
    /// else: its sender could come again for ever otherwise.
    pub(super) fn hold(self: &Arc<Self>, lane: usize, bytes: usize, records: u64) -> Option<Held> {
        let cost = bytes.saturating_add(ENTRY_BYTES);
        let held = self.lanes.get(lane)?;
        let mut before = held.load(Ordering::Relaxed);
        let alone = loop {
            let after = before.checked_add(cost)?;
            let more = self.beyond_own(after) - self.beyond_own(before);
            let fits = |pooled: usize| pooled.checked_add(more).filter(|sum| more == 0 || *sum <= self.pool);
            let pooled = self.pooled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
            let alone = pooled.is_err();
            if alone {
                self.used.compare_exchange(0, cost, Ordering::Relaxed, Ordering::Relaxed).ok()?;
                self.pooled.fetch_add(more, Ordering::Relaxed);
            }
            match held.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break alone,
                Err(now) => {
                    before = now;
                    self.pooled.fetch_sub(more, Ordering::Relaxed);
                    if alone {
                        self.used.fetch_sub(cost, Ordering::Relaxed);
                    }
                }
            }
        };
        if !alone {
            self.used.fetch_add(cost, Ordering::Relaxed);
        }
        self.meter.entered(bytes, records);
        Some(Held::in_room(self.clone(), lane, bytes, records))
    }

    /// Gives back what was held.
    pub(super) fn release(&self, lane: usize, bytes: usize, records: u64) {
        let cost = bytes.saturating_add(ENTRY_BYTES);
        if let Some(held) = self.lanes.get(lane) {
            let before = held.fetch_sub(cost, Ordering::Relaxed);
            let less = self.beyond_own(before) - self.beyond_own(before.saturating_sub(cost));
            self.pooled.fetch_sub(less, Ordering::Relaxed);
        }
        self.used.fetch_sub(cost, Ordering::Relaxed);
        self.meter.left(bytes, records);
    }

    /// What a lane that holds so much has of the pool.
    const fn beyond_own(&self, held: usize) -> usize {
        held.saturating_sub(self.own)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    pub fn room(capacity: usize, lanes: usize) -> Arc<Room> {
        Room::new(capacity, lanes, Arc::new(Meter::new("test", capacity, &Metrics::default())))
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let room = room(2 * (1000 + ENTRY_BYTES), 1);
        let first = room.hold(0, 1000, 1).unwrap();
        let second = room.hold(0, 1000, 1).unwrap();
        assert!(room.hold(0, 1, 1).is_none());
        drop(first);
        assert!(room.hold(0, 1000, 1).is_some());
        drop(second);
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn a_payload_larger_than_the_queue_gets_in_alone() {
        let room = room(1000, 2);
        let small = room.hold(0, 1, 1).unwrap();
        assert!(room.hold(0, 5000, 1).is_none());
        drop(small);
        assert!(room.hold(0, 5000, 1).is_some());
    }

    #[test]
    fn f23_a_lane_that_is_full_leaves_the_others_what_is_theirs() {
        let cost = 100 + ENTRY_BYTES;
        let room = room(40 * cost, 2);
        let crowd: Vec<_> = std::iter::from_fn(|| room.hold(0, 100, 1)).collect();
        assert_eq!(crowd.len(), 30, "its own quarter and the half that is shared");
        let others: Vec<_> = std::iter::from_fn(|| room.hold(1, 100, 1)).collect();
        assert_eq!((others.len(), room.used()), (10, 40 * cost));
        // What the one frees of the shared half, the other may have.
        drop(crowd);
        let others_now: Vec<_> = std::iter::from_fn(|| room.hold(1, 100, 1)).collect();
        assert_eq!(others_now.len(), 20);
        drop((others, others_now));
        assert_eq!((room.used(), room.pooled.load(Ordering::Relaxed)), (0, 0));
        assert!(room.hold(2, 1, 1).is_none(), "there is no such lane");
    }

    #[test]
    fn threads_leave_nothing_behind() {
        let room = room(50_000, 2);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let room = room.clone();
                scope.spawn(move || {
                    for turn in 0..2000 {
                        let held: Vec<_> = (0..turn % 40).map(|_| room.hold(thread % 2, 900, 1)).collect();
                        drop(held);
                    }
                });
            }
        });
        assert_eq!((room.used(), room.pooled.load(Ordering::Relaxed)), (0, 0));
        assert!(room.lanes.iter().all(|held| held.load(Ordering::Relaxed) == 0));
    }
}
