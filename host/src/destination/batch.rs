//! Merging: payloads become batches, one signal each, of the size that the pipeline file asks for.
//!
//! Merging is appending, since concatenated requests are one request; a payload over the limits of a request is
//! cut ([`crate::data::split`]), and its pieces are made only as fast as they are sent.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::charge::{Share, Verdict};
use super::meter::{Loss, Meter};
use super::sizer::Sizing;
use crate::config::spec::BatchSpec;
use crate::data::split::{Limits, Split};
use crate::data::{Payload, Signal};

/// Payloads are merged only up to this size, though a single one may be larger: many peers take no more than the
/// 4 MiB that are gRPC's custom, and refuse for good what is over it.
const MERGED_BYTES_MAX: usize = 3 << 20;

/// One entry of a queue: a payload and its place.
#[derive(Debug)]
pub struct Entry {
    /// What is to be delivered.
    pub payload: Payload,
    /// Its place in the queue.
    pub share: Share,
}

/// What is delivered at once: one request, as the chunks that it is merged from.
#[derive(Debug)]
pub struct Batch {
    /// What it carries.
    pub signal: Signal,
    /// The chunks; one after the other they are the request.
    pub requests: Vec<Bytes>,
    /// Records in all of them.
    pub records: u64,
    bytes: usize,
    shares: Vec<Share>,
    /// When its oldest payload came.
    since: Instant,
}

impl Batch {
    fn new(signal: Signal, since: Instant) -> Self {
        Batch { signal, requests: Vec::new(), records: 0, bytes: 0, shares: Vec::new(), since }
    }

    fn append(&mut self, entry: Entry) {
        self.records += entry.payload.records;
        self.bytes += entry.payload.bytes.len();
        self.requests.push(entry.payload.bytes);
        self.shares.push(entry.share);
    }

    /// The request, in one piece.
    pub fn joined(&self) -> Bytes {
        match self.requests.as_slice() {
            [request] => request.clone(),
            requests => requests.concat().into(),
        }
    }

    /// Whether any sender still waits for the verdict.
    pub fn is_awaited(&self) -> bool {
        self.shares.iter().any(Share::is_awaited)
    }

    /// Says how it ended for all of it, and gives the room back.
    pub fn settle(self, verdict: Verdict) {
        for share in self.shares {
            share.settle(verdict);
        }
    }
}

/// A payload that is being cut.
#[derive(Debug)]
struct Cut {
    split: Split,
    signal: Signal,
    share: Share,
    /// Records that are not in a piece yet.
    left: u64,
}

/// Collects payloads until a batch is ready. Holds at most what the queue has room for.
#[derive(Debug)]
pub struct Batcher {
    spec: BatchSpec,
    limits: Limits,
    pending: [Option<Batch>; Signal::ALL.len()],
    ready: VecDeque<Batch>,
    cut: Option<Cut>,
    sizing: Option<Arc<Sizing>>,
    meter: Arc<Meter>,
}

impl Batcher {
    /// An empty one.
    pub fn new(spec: &BatchSpec, sizing: Option<Arc<Sizing>>, meter: Arc<Meter>) -> Self {
        let limits = Limits { records: spec.max_records as u64, bytes: spec.max_bytes };
        let (pending, ready) = (Default::default(), VecDeque::new());
        Batcher { spec: spec.clone(), limits, pending, ready, cut: None, sizing, meter }
    }

    /// The same without what it held, which is put back.
    pub fn emptied(self) -> Self {
        Batcher { pending: Default::default(), ready: VecDeque::new(), cut: None, ..self }
    }

    /// Whether nothing is left in it.
    pub fn is_empty(&self) -> bool {
        self.pending.iter().all(Option::is_none) && !self.has_ready()
    }

    /// Whether there is a batch to be sent now, or a payload still being cut.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty() || self.cut.is_some()
    }

    /// When the oldest payload has waited long enough.
    pub fn due(&self) -> Option<Instant> {
        self.pending.iter().flatten().map(|batch| batch.since + self.spec.timeout).min()
    }

    /// Adds a payload. Takes no other one while [`Batcher::has_ready`]: that bounds what is ready.
    pub fn push(&mut self, entry: Entry, now: Instant) {
        let Entry { payload, share } = entry;
        if payload.records == 0 {
            return share.settle(Verdict::Taken);
        }
        if self.limits.allow(payload.records, payload.bytes.len()) {
            return self.append(Entry { payload, share }, now);
        }
        match Split::new(&payload, self.limits) {
            Ok(split) => self.cut = Some(Cut { split, signal: payload.signal, share, left: payload.records }),
            Err(_) => {
                self.meter.lost(payload.signal, payload.records, Loss::Malformed);
                share.settle(Verdict::Refused);
            }
        }
    }

    /// The next batch to send: one that is full, one that has waited long enough by `now`, or, when `closing`, any.
    pub fn next(&mut self, now: Instant, closing: bool) -> Option<Batch> {
        while self.ready.is_empty() && self.cut.is_some() {
            self.cut_on(now);
        }
        self.ready.pop_front().or_else(|| {
            let timeout = self.spec.timeout;
            let due = |slot: &&mut Option<Batch>| slot.as_ref().is_some_and(|b| closing || b.since + timeout <= now);
            self.pending.iter_mut().find(due)?.take()
        })
    }

    fn append(&mut self, entry: Entry, now: Instant) {
        let signal = entry.payload.signal;
        let Some(slot) = self.pending.get_mut(signal as usize) else { return };
        let fits = |batch: &Batch| {
            let bytes = batch.bytes + entry.payload.bytes.len();
            bytes <= MERGED_BYTES_MAX && self.limits.allow(batch.records + entry.payload.records, bytes)
        };
        if slot.as_ref().is_some_and(|batch| !fits(batch)) {
            self.ready.extend(slot.take());
        }
        let batch = slot.get_or_insert_with(|| Batch::new(signal, now));
        batch.append(entry);
        let full = !self.limits.allow(batch.records + 1, batch.bytes + 1) || batch.bytes >= MERGED_BYTES_MAX;
        let enough = self.sizing.as_ref().map_or(self.spec.min_records as u64, |sizing| sizing.records());
        if full || batch.records >= enough {
            self.ready.extend(slot.take());
        }
    }

    /// Takes the next piece of the payload that is being cut, or ends with it.
    fn cut_on(&mut self, now: Instant) {
        let Some(mut cut) = self.cut.take() else { return };
        match cut.split.next() {
            Some(Ok(payload)) => {
                cut.left = cut.left.saturating_sub(payload.records);
                let share = cut.share.another();
                self.cut = Some(cut);
                self.append(Entry { payload, share }, now);
            }
            Some(Err(_)) => self.end_cut(cut, Loss::Malformed),
            None => self.end_cut(cut, Loss::TooLarge),
        }
    }

    /// What is in no piece was left out, for one reason.
    fn end_cut(&self, cut: Cut, loss: Loss) {
        if cut.left > 0 {
            self.meter.lost(cut.signal, cut.left, loss);
            tracing::warn!(
                exporter = self.meter.exporter(),
                records = cut.left,
                reason = loss.reason(),
                max_bytes = self.limits.bytes,
                "records that cannot be put into a request of the configured size were dropped"
            );
        }
        cut.share.settle(Verdict::Taken);
    }
}
