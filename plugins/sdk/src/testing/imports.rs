//! Stand-ins for the host's imports, for native tests: each thread, so each test, has its own.

// Reason: plugins know nothing of tokio, whose clock the host prefers.
#![allow(clippy::disallowed_types)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use crate::Time;
use crate::state::Refusal;

#[derive(Default)]
struct Host {
    counters: BTreeMap<String, u64>,
    observations: BTreeMap<String, Vec<f64>>,
    state: BTreeMap<String, Entry>,
    seed: u64,
}

struct Entry {
    value: Stored,
    expires: Option<Instant>,
}

enum Stored {
    Bytes(Vec<u8>),
    Integer(i64),
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

fn host<T>(act: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| act(&mut host.borrow_mut()))
}

pub(crate) fn count(name: &str, value: u64) {
    host(|host| *host.counters.entry(name.to_owned()).or_default() += value);
}

pub(crate) fn observe(name: &str, value: f64) {
    host(|host| host.observations.entry(name.to_owned()).or_default().push(value));
}

/// What this thread's plugins counted under a name so far.
pub fn counter(name: &str) -> u64 {
    host(|host| host.counters.get(name).copied().unwrap_or(0))
}

/// What this thread's plugins observed under a name so far.
pub fn observations(name: &str) -> Vec<f64> {
    host(|host| host.observations.get(name).cloned().unwrap_or_default())
}

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn monotonic() -> Duration {
    thread_local!(static START: Instant = Instant::now());
    START.with(Instant::elapsed)
}

pub(crate) fn random() -> u64 {
    host(|host| {
        host.seed = host.seed.wrapping_add(1);
        thread_local!(static RANDOM: RandomState = RandomState::new());
        RANDOM.with(|random| random.hash_one(host.seed))
    })
}

impl Host {
    /// The entry under a key, unless it is expired.
    fn entry(&mut self, key: &str) -> Option<&mut Entry> {
        self.state.get_mut(key).filter(|entry| entry.expires.is_none_or(|expires| expires > Instant::now()))
    }
}

pub(crate) fn state_get(key: &str) -> Option<Vec<u8>> {
    host(|host| match &host.entry(key)?.value {
        Stored::Bytes(bytes) => Some(bytes.clone()),
        Stored::Integer(_) => None,
    })
}

pub(crate) fn state_put(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Refusal> {
    host(|host| match host.entry(key) {
        Some(Entry { value: Stored::Integer(_), .. }) => Err(Refusal::Mismatch),
        _ => {
            let entry = Entry { value: Stored::Bytes(value.to_vec()), expires: ttl.map(|ttl| Instant::now() + ttl) };
            host.state.insert(key.to_owned(), entry);
            Ok(())
        }
    })
}

pub(crate) fn state_add(
    key: &str,
    delta: i64,
    at_most: Option<i64>,
    ttl: Option<Duration>,
) -> Result<Option<i64>, Refusal> {
    host(|host| {
        if host.entry(key).is_none() {
            let expires = ttl.map(|ttl| Instant::now() + ttl);
            host.state.insert(key.to_owned(), Entry { value: Stored::Integer(0), expires });
        }
        let Some(Entry { value: Stored::Integer(sum), .. }) = host.entry(key) else {
            return Err(Refusal::Mismatch);
        };
        let new = sum.saturating_add(delta);
        if at_most.is_some_and(|at_most| new > at_most) {
            return Ok(None);
        }
        *sum = new;
        Ok(Some(new))
    })
}
