//! The last examples of one stage.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::example::Example;
use crate::config::spec::AuditSpec;

/// Records of one batch that become examples.
pub const AT_ONCE: usize = 4;
/// Time between two batches that have examples.
const REST: Duration = Duration::from_secs(1);

/// A bounded number of examples; the oldest makes room.
#[derive(Debug)]
pub struct Ring {
    spec: AuditSpec,
    born: Instant,
    /// Milliseconds since then at which examples are taken again.
    next: AtomicU64,
    examples: Mutex<VecDeque<Arc<Example>>>,
}

impl Ring {
    pub(super) fn new(spec: AuditSpec) -> Ring {
        Ring { spec, born: Instant::now(), next: AtomicU64::new(0), examples: Mutex::default() }
    }

    /// What may be shown.
    pub fn spec(&self) -> &AuditSpec {
        &self.spec
    }

    /// Whether examples of a batch are wanted now. Says so to several at once if they ask at once.
    pub fn is_hungry(&self) -> bool {
        self.is_hungry_at(self.now())
    }

    pub(super) fn is_hungry_at(&self, millis: u64) -> bool {
        millis >= self.next.load(Ordering::Relaxed)
    }

    /// Puts examples in, if nobody else has in the meantime.
    pub fn feed(&self, examples: Vec<Example>) {
        self.feed_at(self.now(), examples);
    }

    pub(super) fn feed_at(&self, now: u64, examples: Vec<Example>) {
        let next = self.next.load(Ordering::Relaxed);
        let rest = now + REST.as_millis() as u64;
        let is_first =
            now >= next && self.next.compare_exchange(next, rest, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if examples.is_empty() || !is_first {
            return;
        }
        let mut ring = self.examples.lock();
        for example in examples.into_iter().take(AT_ONCE) {
            if ring.len() >= self.spec.examples {
                ring.pop_front();
            }
            ring.push_back(Arc::new(example));
        }
    }

    /// What is in it, the oldest first.
    pub fn examples(&self) -> Vec<Arc<Example>> {
        self.examples.lock().iter().cloned().collect()
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }
}
