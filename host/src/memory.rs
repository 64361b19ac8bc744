//! The account of what telemetry holds in memory, and the limits on it.
//!
//! ```text
//!  body being read ─► decompressed ─► whole request ─► what a chain wrote ─► queues, batches, attempts
//!      Reading          Decoding        Requests            Edited              (the same bytes still)
//! ```
//!
//! Every buffer of telemetry has a [`Lease`], which is taken *before* the buffer grows. When the buffer is whole the
//! lease [moves into its bytes](Lease::keep): it ends with the last slice of them, wherever that is, so that a request
//! that waits in three queues counts once, and a small slice that keeps a large buffer alive counts with all of it.
//! One addition a growth, none a record.
//!
//! Two limits: above the **soft** one new requests are refused before they are read; the **hard** one the account never
//! crosses, so a body that would is refused while it is read. Both refusals are retryable. Being above the soft limit
//! ends only below seven eighths of it, and before [`DWELL`] only below half of it, so that it does not flap. As the account does not know
//! what the process needs beside it, the [watch](Memory::watch) looks at the resident memory too, and refuses while
//! that is above the hard limit, unless less than an eighth of the limit is held: memory that the allocator keeps to
//! itself must not starve clients for ever.

mod lease;
mod machine;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde::Serialize;
use tokio::time::{Instant, sleep};

pub use self::lease::{Kind, Lease};
use crate::config::spec::{MemoryLimiterSpec, MemoryShare};
use crate::telemetry::metrics::{MemoryKindLabels, MemoryLimitLabels, Metrics};

/// The shortest time above the soft limit, unless memory is free by half: what is said to one client is said to all of
/// a moment.
pub const DWELL: Duration = Duration::from_millis(200);

/// When a client that was refused may come again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The log says at most once in this time that memory is short.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The account. Cheap to clone; all clones are one account.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Account>);

#[derive(Debug)]
struct Account {
    held: AtomicUsize,
    hard: AtomicUsize,
    soft: AtomicUsize,
    check_ms: AtomicU64,
    started: Instant,
    /// Whether the soft limit is crossed, and since when, in milliseconds from `started`.
    above_soft: AtomicBool,
    above_since_ms: AtomicU64,
    /// As the operating system last said.
    resident: AtomicUsize,
    above_resident: AtomicBool,
    kinds: [Gauge; Kind::COUNT],
    limits: [Gauge; 2],
    periods: Counter,
}

/// Why memory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// The soft limit is crossed: nothing new is begun.
    #[error("memory is short: requests hold {held} bytes, and the soft limit is {limit}")]
    Soft {
        /// Bytes in the account.
        held: usize,
        /// The soft limit, in bytes.
        limit: usize,
    },
    /// The hard limit would be crossed.
    #[error("memory is short: {wanted} bytes beside the {held} that requests hold would cross the limit of {limit}")]
    Hard {
        /// Bytes that were asked for.
        wanted: usize,
        /// Bytes in the account.
        held: usize,
        /// The hard limit, in bytes.
        limit: usize,
    },
    /// The process is larger than the hard limit, whatever the account says.
    #[error("memory is short: the process has {resident} bytes in memory, and the limit is {limit}")]
    Resident {
        /// Resident bytes of the process.
        resident: usize,
        /// The hard limit, in bytes.
        limit: usize,
    },
}

/// What `/status` says of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryStatus {
    /// Bytes that telemetry holds.
    pub held_bytes: usize,
    /// Above this new requests are refused; none: no limit.
    pub soft_limit_bytes: Option<usize>,
    /// The account never crosses this; none: no limit.
    pub hard_limit_bytes: Option<usize>,
    /// Resident memory of the process at the last check; none before the first, or where the system does not say.
    pub resident_bytes: Option<usize>,
    /// Whether requests are refused at the moment.
    pub refusing: bool,
}

impl Memory {
    /// An account with the limits of a pipeline file.
    pub fn new(spec: &MemoryLimiterSpec, metrics: &Metrics) -> Memory {
        let kind = |kind: Kind| metrics.memory_held.get_or_create_owned(&MemoryKindLabels { kind: kind.name() });
        let limit = |limit| metrics.memory_limit.get_or_create_owned(&MemoryLimitLabels { limit });
        let memory = Memory(Arc::new(Account {
            held: AtomicUsize::new(0),
            hard: AtomicUsize::new(usize::MAX),
            soft: AtomicUsize::new(usize::MAX),
            check_ms: AtomicU64::new(1000),
            started: Instant::now(),
            above_soft: AtomicBool::new(false),
            above_since_ms: AtomicU64::new(0),
            resident: AtomicUsize::new(0),
            above_resident: AtomicBool::new(false),
            kinds: Kind::ALL.map(kind),
            limits: ["soft", "hard"].map(limit),
            periods: metrics.memory_short_periods.clone(),
        }));
        memory.limit(spec);
        memory
    }

    /// An account without limits: for what runs without a pipeline file's `service`, such as tests.
    pub fn unlimited() -> Memory {
        Memory::new(&MemoryLimiterSpec::None, &Metrics::default())
    }

    /// Takes other limits, from now on.
    pub fn limit(&self, spec: &MemoryLimiterSpec) {
        let (hard, soft) = match spec {
            MemoryLimiterSpec::None => (usize::MAX, usize::MAX),
            MemoryLimiterSpec::Limited { limit, spike, check_interval } => {
                let check_ms = u64::try_from(check_interval.as_millis()).unwrap_or(u64::MAX);
                self.0.check_ms.store(check_ms, Ordering::Relaxed);
                bounds(*limit, *spike)
            }
        };
        self.0.hard.store(hard, Ordering::Relaxed);
        self.0.above_soft.store(false, Ordering::Relaxed);
        self.0.soft.store(soft, Ordering::Relaxed);
        for (gauge, bytes) in self.0.limits.iter().zip([soft, hard]) {
            gauge.set(if bytes == usize::MAX { 0 } else { i64::try_from(bytes).unwrap_or(i64::MAX) });
        }
    }

    /// Bytes in the account.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// The hard limit, in bytes; `usize::MAX` without one.
    pub fn hard_limit(&self) -> usize {
        self.0.hard.load(Ordering::Relaxed)
    }

    /// Whether a new request may begin.
    pub fn admit(&self) -> Result<(), Shortage> {
        self.admit_at(|| self.0.now_ms())
    }

    /// Asks for the time only where it matters: that is a fiftieth of a microsecond a request.
    fn admit_at(&self, now_ms: impl FnOnce() -> u64) -> Result<(), Shortage> {
        let account = &*self.0;
        let (held, limit) = (self.held(), self.hard_limit());
        if account.above_resident.load(Ordering::Relaxed) && held > limit / 8 {
            return Err(Shortage::Resident { resident: account.resident.load(Ordering::Relaxed), limit });
        }
        let soft = account.soft.load(Ordering::Relaxed);
        if account.is_above(held, soft, now_ms) { Err(Shortage::Soft { held, limit: soft }) } else { Ok(()) }
    }

    /// A lease of nothing, to grow.
    pub fn lease(&self, kind: Kind) -> Lease {
        Lease::empty(self.clone(), kind)
    }

    /// A lease of so many bytes.
    pub fn lease_of(&self, kind: Kind, bytes: usize) -> Result<Lease, Shortage> {
        let mut lease = self.lease(kind);
        lease.grow(bytes).map(|()| lease)
    }

    /// What `/status` says.
    pub fn status(&self) -> MemoryStatus {
        let account = &*self.0;
        let limit = |bytes: &AtomicUsize| Some(bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes < usize::MAX);
        let resident = account.resident.load(Ordering::Relaxed);
        MemoryStatus {
            held_bytes: self.held(),
            soft_limit_bytes: limit(&account.soft),
            hard_limit_bytes: limit(&account.hard),
            resident_bytes: (resident > 0).then_some(resident),
            refusing: self.admit().is_err(),
        }
    }

    /// Looks at the resident memory again and again, and tells the log when memory is short. Never ends.
    pub async fn watch(&self) -> Infallible {
        let mut told = Told::default();
        loop {
            sleep(Duration::from_millis(self.0.check_ms.load(Ordering::Relaxed).max(1))).await;
            if let Some(resident) = machine::resident() {
                self.observe(resident);
            }
            told.tell(self);
        }
    }

    /// Notes the resident memory of the process.
    fn observe(&self, resident: usize) {
        let account = &*self.0;
        let hard = self.hard_limit();
        account.resident.store(resident, Ordering::Relaxed);
        let was_above = account.above_resident.load(Ordering::Relaxed);
        let threshold = if was_above { hard - hard / 16 } else { hard };
        account.above_resident.store(resident > threshold, Ordering::Relaxed);
    }
}

impl Account {
    /// Whether the soft limit is crossed, or was a moment ago.
    fn is_above(&self, held: usize, soft: usize, now_ms: impl FnOnce() -> u64) -> bool {
        let was_above = self.above_soft.load(Ordering::Relaxed);
        if !was_above && held <= soft {
            return false;
        }
        let now_ms = now_ms();
        if !was_above {
            self.above_since_ms.store(now_ms, Ordering::Relaxed);
            if !self.above_soft.swap(true, Ordering::Relaxed) {
                self.periods.inc();
            }
            return true;
        }
        let since_ms = self.above_since_ms.load(Ordering::Relaxed);
        let is_long = now_ms.saturating_sub(since_ms) >= DWELL.as_millis() as u64;
        let is_over = held <= soft / 2 || (is_long && held < soft - soft / 8);
        if is_over {
            self.above_soft.store(false, Ordering::Relaxed);
        }
        !is_over
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds to the account unless that would cross the hard limit.
    fn add(&self, kind: Kind, bytes: usize) -> Result<(), Shortage> {
        let limit = self.hard.load(Ordering::Relaxed);
        let fits = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|held| Shortage::Hard {
            wanted: bytes,
            held,
            limit,
        })?;
        self.gauge(kind).inc_by(signed(bytes));
        Ok(())
    }

    fn subtract(&self, kind: Kind, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge(kind).dec_by(signed(bytes));
    }

    fn gauge(&self, kind: Kind) -> &Gauge {
        let [reading, decoding, requests, edited] = &self.kinds;
        match kind {
            Kind::Reading => reading,
            Kind::Decoding => decoding,
            Kind::Requests => requests,
            Kind::Edited => edited,
        }
    }
}

/// What the log was told, so that it is not told again and again.
#[derive(Default)]
struct Told {
    periods: u64,
    resident: bool,
    at: Option<Instant>,
}

impl Told {
    fn tell(&mut self, memory: &Memory) {
        let account = &*memory.0;
        let (periods, above) = (account.periods.get(), account.above_resident.load(Ordering::Relaxed));
        if (periods == self.periods && (above == self.resident || !above))
            || self.at.is_some_and(|at| at.elapsed() < TOLD_EVERY)
        {
            self.resident &= above;
            return;
        }
        let MemoryStatus { held_bytes, soft_limit_bytes, hard_limit_bytes, resident_bytes, refusing } = memory.status();
        tracing::warn!(
            held_bytes,
            soft_limit_bytes,
            hard_limit_bytes,
            resident_bytes,
            refusing,
            "memory is short: clients are told to come again; raise service.memory_limiter, or look why queues fill"
        );
        *self = Told { periods, resident: above, at: Some(Instant::now()) };
    }
}

/// The hard and the soft limit, in bytes. Shares of a memory whose size the system does not tell are no limit.
fn bounds(limit: MemoryShare, spike: Option<MemoryShare>) -> (usize, usize) {
    let total = machine::memory();
    if total.is_none() && matches!(limit, MemoryShare::Percent(_)) {
        tracing::warn!("the size of the memory is not known: service.memory_limiter needs `limit_mib` to limit it");
        return (usize::MAX, usize::MAX);
    }
    let bytes = |share| match share {
        MemoryShare::Bytes(bytes) => bytes,
        MemoryShare::Percent(percent) => total.unwrap_or(0) / 100 * usize::from(percent),
    };
    let hard = bytes(limit);
    (hard, hard.saturating_sub(spike.map_or(hard / 5, bytes)))
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
