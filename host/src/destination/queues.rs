//! Which durable queues are open: one a directory, whoever delivers from it.
//!
//! A reload that changes an exporter and leaves its directory alone builds the new destination on the queue that the
//! old one has open: for a moment both hold it, the new one takes over at the swap, and the old one puts back what it
//! has not delivered. So nothing is closed, refused or read twice. The last one to go closes the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::meter::Meter;
use crate::config::spec::DurableSpec;
use crate::queue::{self, OpenError, Options, Queue, Tally};
use crate::telemetry::metrics::Metrics;

/// The durable queues of a process.
#[derive(Debug, Default)]
pub struct Queues {
    directories: Mutex<Directories>,
}

#[derive(Debug, Default)]
struct Directories {
    open: BTreeMap<PathBuf, Weak<Open>>,
    /// Nobody has them any more, and they are about to be free.
    closing: BTreeSet<PathBuf>,
}

/// An open queue.
#[derive(Debug)]
struct Open {
    queue: Queue,
    dir: PathBuf,
    /// The account of the destination that opened it: the queue's own counts are under its exporter's id.
    meter: Arc<Meter>,
    /// Whether a destination has come to deliver from it.
    served: AtomicBool,
}

/// A queue that a destination has.
#[derive(Debug)]
pub struct Lent {
    /// The queue.
    pub queue: Queue,
    options: Options,
    /// None once it was given back.
    open: Mutex<Option<Arc<Open>>>,
    queues: Arc<Queues>,
}

/// What the last destination left in a queue on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The exporter's id.
    pub exporter: String,
    /// Where it is.
    pub dir: PathBuf,
    /// Encoded bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
}

impl Queues {
    /// The queue of a directory: the one that is open already, or a new one.
    pub(super) fn open(
        self: &Arc<Self>,
        spec: &DurableSpec,
        meter: &Arc<Meter>,
        metrics: &Metrics,
    ) -> Result<Lent, OpenError> {
        let mut directories = self.directories.lock();
        let open = match directories.open.get(&spec.dir).and_then(Weak::upgrade) {
            Some(open) => open,
            None => {
                let counts = queue::Meter::new(meter.exporter(), spec.max_bytes, metrics);
                let queue = Queue::open(&spec.dir, &Options::from(spec), counts)?;
                let (dir, meter) = (spec.dir.clone(), meter.clone());
                Arc::new(Open { queue, dir, meter, served: AtomicBool::new(false) })
            }
        };
        directories.open.insert(spec.dir.clone(), Arc::downgrade(&open));
        Ok(Lent {
            queue: open.queue.clone(),
            options: Options::from(spec),
            open: Mutex::new(Some(open)),
            queues: self.clone(),
        })
    }

    /// Whether a directory that cannot be opened now is about to be free.
    pub fn is_closing(&self, dir: &Path) -> bool {
        self.directories.lock().closing.contains(dir)
    }
}

impl Lent {
    /// Comes to deliver, with its own options. What was found in the queue is the business of this process from now on.
    pub(super) fn serve(&self) {
        let Some(open) = &*self.open.lock() else { return };
        self.queue.reconfigure(&self.options);
        if !open.served.swap(true, Ordering::Relaxed) {
            open.meter.recovered(&self.queue.held_by_signal());
        }
    }

    /// Lets go. The last one to do so closes the queue, and says what stays in it.
    pub(super) async fn give_back(&self) -> Option<Left> {
        let open = self.open.lock().take()?;
        {
            let mut directories = self.queues.directories.lock();
            // Under the lock nobody else can come by it.
            if Arc::strong_count(&open) > 1 {
                return None;
            }
            directories.open.remove(&open.dir);
            directories.closing.insert(open.dir.clone());
        }
        open.queue.finish().await;
        self.queues.directories.lock().closing.remove(&open.dir);
        let left = open.queue.held_by_signal();
        open.meter.forget_queue();
        if !open.served.load(Ordering::Relaxed) {
            return None;
        }
        open.meter.kept(&left);
        let Tally { bytes, records, .. } = left.total();
        Some(Left { exporter: open.meter.exporter().to_owned(), dir: open.dir.clone(), bytes, records })
    }
}
