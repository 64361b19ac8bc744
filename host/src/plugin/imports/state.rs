//! State that the host keeps for a stage: shared by its instances, bounded in bytes, with times to live.
//! Whoever calls says what time it is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Bytes that an entry counts for beside its key and value: the maps' share.
const ENTRY_BYTES: usize = 128;

/// The state of one stage.
#[derive(Debug)]
pub struct SharedState {
    quota: usize,
    entries: Mutex<Entries>,
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It would not fit into the quota.
    Quota,
    /// The key holds a value of the other kind.
    Mismatch,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    /// Keys by the time at which they expire.
    expiring: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires: Option<Instant>,
}

#[derive(Debug)]
enum Value {
    Bytes(Vec<u8>),
    Int(i64),
}

impl SharedState {
    /// An empty state that may hold so many bytes: keys, values, and what keeping them costs.
    pub fn new(quota_bytes: usize) -> SharedState {
        SharedState { quota: quota_bytes, entries: Mutex::default() }
    }

    /// The bytes under a key; none if the key holds an integer.
    pub fn bytes(&self, now: Instant, key: &str) -> Option<Vec<u8>> {
        let mut entries = self.entries.lock();
        entries.expire(now);
        match &entries.by_key.get(key)?.value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            Value::Int(_) => None,
        }
    }

    /// Puts bytes under a key, for a time or for good.
    pub fn put(&self, now: Instant, key: &str, value: Vec<u8>, ttl: Option<Duration>) -> Result<(), Refusal> {
        let mut entries = self.entries.lock();
        entries.expire(now);
        let freed = match entries.by_key.get(key) {
            None => 0,
            Some(Entry { value: Value::Bytes(old), .. }) => cost(key, old.len()),
            Some(Entry { value: Value::Int(_), .. }) => return Err(Refusal::Mismatch),
        };
        if entries.bytes - freed + cost(key, value.len()) > self.quota {
            return Err(Refusal::Quota);
        }
        entries.remove(key);
        entries.insert(now, key, Value::Bytes(value), ttl);
        Ok(())
    }

    /// Adds to the integer under a key, unless the sum would be greater than `at_most` (or not an `i64`).
    pub fn compare_and_add(
        &self,
        now: Instant,
        key: &str,
        delta: i64,
        at_most: Option<i64>,
        ttl: Option<Duration>,
    ) -> Result<Option<i64>, Refusal> {
        let mut entries = self.entries.lock();
        entries.expire(now);
        let allowed = |sum: &i64| at_most.is_none_or(|most| *sum <= most);
        if let Some(entry) = entries.by_key.get_mut(key) {
            let Value::Int(int) = &mut entry.value else { return Err(Refusal::Mismatch) };
            let sum = int.checked_add(delta).filter(allowed);
            *int = sum.unwrap_or(*int);
            return Ok(sum);
        }
        let Some(sum) = Some(delta).filter(allowed) else { return Ok(None) };
        if entries.bytes + cost(key, size_of::<i64>()) > self.quota {
            return Err(Refusal::Quota);
        }
        entries.insert(now, key, Value::Int(sum), ttl);
        Ok(Some(sum))
    }

    /// Bytes that are counted against the quota.
    pub fn bytes_used(&self, now: Instant) -> usize {
        let mut entries = self.entries.lock();
        entries.expire(now);
        entries.bytes
    }
}

impl Entries {
    /// Removes what has expired; each entry once, so its cost is its insertion's.
    fn expire(&mut self, now: Instant) {
        if self.expiring.is_empty() {
            return;
        }
        while let Some((_, key)) = self.expiring.first().filter(|(at, _)| *at <= now) {
            let key = Arc::clone(key);
            self.remove(&key);
        }
    }

    fn insert(&mut self, now: Instant, key: &str, value: Value, ttl: Option<Duration>) {
        let key: Arc<str> = key.into();
        // A time to live beyond the clock's range is for good.
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        if let Some(at) = expires {
            self.expiring.insert((at, Arc::clone(&key)));
        }
        self.bytes += cost(&key, value.bytes());
        self.by_key.insert(key, Entry { value, expires });
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, entry)) = self.by_key.remove_entry(key) {
            self.bytes -= cost(&key, entry.value.bytes());
            if let Some(at) = entry.expires {
                self.expiring.remove(&(at, key));
            }
        }
    }
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Value::Bytes(bytes) => bytes.len(),
            Value::Int(_) => size_of::<i64>(),
        }
    }
}

fn cost(key: &str, value_bytes: usize) -> usize {
    key.len() + value_bytes + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn values_live_as_long_as_they_were_given() {
        let mut now = Instant::now();
        let state = SharedState::new(10_000);
        state.put(now, "short", vec![1], Some(SECOND)).unwrap();
        state.put(now, "long", vec![2], None).unwrap();
        state.put(now, "endless", vec![3], Some(Duration::from_millis(u64::MAX))).unwrap();
        now += SECOND;
        assert_eq!(state.bytes(now, "short"), None);
        assert_eq!(state.bytes(now, "long"), Some(vec![2]));
        assert_eq!(state.bytes(now, "endless"), Some(vec![3]));
        assert_eq!(state.bytes_used(now), cost("long", 1) + cost("endless", 1));
    }

    #[test]
    fn a_new_value_has_its_own_time() {
        let mut now = Instant::now();
        let state = SharedState::new(10_000);
        state.put(now, "key", vec![1], Some(SECOND)).unwrap();
        state.put(now, "key", vec![2], None).unwrap();
        now += 2 * SECOND;
        assert_eq!(state.bytes(now, "key"), Some(vec![2]));
    }

    #[test]
    fn an_addition_does_not_prolong() {
        let mut now = Instant::now();
        let state = SharedState::new(10_000);
        assert_eq!(state.compare_and_add(now, "rate", 2, Some(3), Some(SECOND)), Ok(Some(2)));
        assert_eq!(state.compare_and_add(now, "rate", 2, Some(3), Some(SECOND)), Ok(None));
        assert_eq!(state.compare_and_add(now, "rate", 1, Some(3), Some(10 * SECOND)), Ok(Some(3)));
        now += SECOND;
        assert_eq!(state.compare_and_add(now, "rate", 1, Some(3), None), Ok(Some(1)));
    }

    #[test]
    fn sums_stay_in_range() {
        let now = Instant::now();
        let state = SharedState::new(10_000);
        assert_eq!(state.compare_and_add(now, "sum", i64::MAX, None, None), Ok(Some(i64::MAX)));
        assert_eq!(state.compare_and_add(now, "sum", 1, None, None), Ok(None));
        assert_eq!(state.compare_and_add(now, "sum", -1, None, None), Ok(Some(i64::MAX - 1)));
        assert_eq!(state.compare_and_add(now, "first", 5, Some(4), None), Ok(None));
    }

    #[test]
    fn kinds_do_not_mix() {
        let now = Instant::now();
        let state = SharedState::new(10_000);
        state.put(now, "bytes", vec![1], None).unwrap();
        state.compare_and_add(now, "int", 1, None, None).unwrap();
        assert_eq!(state.compare_and_add(now, "bytes", 1, None, None), Err(Refusal::Mismatch));
        assert_eq!(state.put(now, "int", vec![1], None), Err(Refusal::Mismatch));
        assert_eq!(state.bytes(now, "int"), None);
    }

    #[test]
    fn the_quota_holds_and_a_refused_write_changes_nothing() {
        let now = Instant::now();
        let state = SharedState::new(cost("a", 100) + cost("b", 10));
        state.put(now, "a", vec![0; 100], None).unwrap();
        assert_eq!(state.put(now, "b", vec![0; 11], None), Err(Refusal::Quota));
        state.put(now, "b", vec![0; 10], None).unwrap();
        assert_eq!(state.put(now, "a", vec![0; 101], None), Err(Refusal::Quota));
        assert_eq!(state.compare_and_add(now, "c", 1, None, None), Err(Refusal::Quota));
        assert_eq!(state.bytes(now, "a").map(|value| value.len()), Some(100));
        state.put(now, "a", vec![0; 1], None).unwrap();
    }
}
