//! The endpoints of a destination, as all its lanes see them: whether each works, how busy it is, whether it moved.
//!
//! Written a few times a batch, so locks and atomics will do.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::circuit::{Circuit, Leave, Position};
use crate::config::spec::TargetSpec;
use crate::exporter::endpoint;
use crate::telemetry::metrics::{EndpointLabels, Metrics};

/// One endpoint.
#[derive(Debug)]
pub struct End {
    /// Its URL, fit for logs and metrics; empty for files and the console.
    pub name: String,
    circuit: Mutex<Circuit>,
    under_way: AtomicUsize,
    moves: AtomicU64,
    gauge: Option<Gauge>,
}

/// All endpoints of a destination; at least one.
#[derive(Debug)]
pub struct Ends {
    exporter: String,
    ends: Vec<End>,
    /// A circuit has changed: whoever waits may look again.
    changed: Notify,
}

impl Ends {
    /// The endpoints of exporter `id`, in the order of the pipeline file.
    pub fn new(id: &str, target: &TargetSpec, metrics: &Metrics) -> Ends {
        let spec = target.spread().and_then(|spread| spread.circuit.as_ref());
        let ends = target.each().into_iter().map(|(one, _)| {
            let name = one.urls().first().map(|url| endpoint::name(url));
            let gauge = name.as_ref().map(|endpoint| {
                let labels = EndpointLabels { exporter: id.to_owned(), endpoint: endpoint.clone() };
                metrics.exporter_circuit.get_or_create_owned(&labels)
            });
            let circuit = Mutex::new(Circuit::new(spec.cloned()));
            let (under_way, moves) = (AtomicUsize::new(0), AtomicU64::new(0));
            End { name: name.unwrap_or_default(), circuit, under_way, moves, gauge }
        });
        Ends { exporter: id.to_owned(), ends: ends.collect(), changed: Notify::new() }
    }

    /// Names of those that have one.
    pub fn names(&self) -> Vec<String> {
        self.ends.iter().map(|end| end.name.clone()).filter(|name| !name.is_empty()).collect()
    }

    /// Ends when a circuit changes after this call.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Whether an attempt at endpoint `index` would be let through.
    pub fn lets_in(&self, index: usize, now: Instant) -> bool {
        self.ends.get(index).is_some_and(|end| end.circuit.lock().lets_in(now))
    }

    /// Requests that are under way to endpoint `index`, from all shards.
    pub fn load(&self, index: usize) -> usize {
        self.ends.get(index).map_or(0, |end| end.under_way.load(Ordering::Relaxed))
    }

    /// When the first of the open circuits may be probed.
    pub fn opens_at(&self) -> Option<Instant> {
        self.ends.iter().filter_map(|end| end.circuit.lock().opens_at()).min()
    }

    /// How often endpoint `index` has moved, or seemed to: connections from before that are to be left.
    pub fn moves(&self, index: usize) -> u64 {
        self.ends.get(index).map_or(0, |end| end.moves.load(Ordering::Relaxed))
    }

    /// Endpoint `index` has other addresses now.
    pub fn moved(&self, index: usize) {
        if let Some(end) = self.ends.get(index) {
            end.moves.fetch_add(1, Ordering::Relaxed);
            tracing::info!(exporter = self.exporter, endpoint = end.name, "it has other addresses; connecting anew");
        }
    }

    /// Lets one attempt through, if its circuit does.
    pub fn enter(&self, index: usize, now: Instant) -> Option<Visit<'_>> {
        let end = self.ends.get(index)?;
        let leave = self.turn(end, |circuit| circuit.enter(now))?;
        Some(self.visit(end, leave))
    }

    /// Lets one attempt through whatever its circuit says.
    pub fn force(&self, index: usize) -> Option<Visit<'_>> {
        let end = self.ends.get(index)?;
        let leave = end.circuit.lock().force();
        Some(self.visit(end, leave))
    }

    fn visit<'a>(&'a self, end: &'a End, leave: Leave) -> Visit<'a> {
        end.under_way.fetch_add(1, Ordering::Relaxed);
        Visit { ends: self, end, leave: Some(leave) }
    }

    /// Does something to a circuit, and tells what became of it.
    fn turn<T>(&self, end: &End, act: impl FnOnce(&mut Circuit) -> T) -> T {
        let (result, before, after, open_for) = {
            let mut circuit = end.circuit.lock();
            let before = circuit.position();
            let result = act(&mut circuit);
            let open_for = circuit.opens_at().map(|at| at.saturating_duration_since(Instant::now()));
            (result, before, circuit.position(), open_for)
        };
        if before != after {
            if let Some(gauge) = &end.gauge {
                // By difference: a destination that drains may share the series with its successor.
                gauge.inc_by(after.number() - before.number());
            }
            if (before, after) == (Position::Closed, Position::Open) {
                // Its connections may be half-open, which looks no different: probes go over new ones (F34).
                end.moves.fetch_add(1, Ordering::Relaxed);
            }
            self.tell(end, before, after, open_for.unwrap_or_default());
            self.changed.notify_waiters();
        }
        result
    }

    fn tell(&self, end: &End, before: Position, after: Position, open_for: Duration) {
        let (exporter, endpoint, open_ms) = (&self.exporter, &end.name, open_for.as_millis() as u64);
        match (before, after) {
            (Position::Closed, Position::Open) => {
                tracing::warn!(exporter, endpoint, open_ms, "the circuit is open: attempts fail, one after the other");
            }
            (_, Position::Open) => tracing::info!(exporter, endpoint, open_ms, "the circuit is open again"),
            (_, Position::HalfOpen) => tracing::info!(exporter, endpoint, "the circuit is half-open: probing"),
            (_, Position::Closed) => tracing::info!(exporter, endpoint, "the circuit is closed: it answers again"),
        }
    }
}

impl Drop for Ends {
    /// What is gone is not open any more.
    fn drop(&mut self) {
        for end in &self.ends {
            if let Some(gauge) = &end.gauge {
                gauge.dec_by(end.circuit.lock().position().number());
            }
        }
    }
}

/// One attempt at an endpoint. Dropped without a word, it was given up.
#[derive(Debug)]
pub struct Visit<'a> {
    ends: &'a Ends,
    end: &'a End,
    leave: Option<Leave>,
}

impl Visit<'_> {
    /// The endpoint answered, if only with a refusal.
    pub fn answered(mut self) {
        if let Some(leave) = self.leave.take() {
            self.ends.turn(self.end, |circuit| circuit.answered(leave));
        }
    }

    /// It failed in a way that may pass.
    pub fn failed(mut self) {
        if let Some(leave) = self.leave.take() {
            self.ends.turn(self.end, |circuit| circuit.failed(leave, Instant::now()));
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.end.under_way.fetch_sub(1, Ordering::Relaxed);
        if let Some(leave) = self.leave.take() {
            self.end.circuit.lock().given_up(leave);
            // There is room for another probe.
            self.ends.changed.notify_waiters();
        }
    }
}
