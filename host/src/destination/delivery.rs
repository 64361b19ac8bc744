//! Delivering one batch: attempts and waits until it is taken, refused or given up, and the account of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::batch::Batch;
use super::burial::said;
use super::charge::Verdict;
use super::meter::{Loss, Meter};
use super::route::{Round, Route};
use super::sizer::Sizing;
use super::stop::Stop;
use crate::config::spec::{OnExhausted, RetrySpec};
use crate::dead_letter::DeadLetter;
use crate::exporter::{Failure, Outcome};

/// Who answers for a batch that cannot be delivered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerable {
    /// The destination: it was acknowledged and is only in memory, so that giving up is a loss.
    Here,
    /// The durable queue: what is not delivered stays in it.
    Log,
    /// The sender: it waits for the verdict and may come again.
    Sender,
}

/// Takes batches to the exporter of one lane.
#[derive(Debug)]
pub struct Courier {
    /// Where to.
    pub route: Route,
    /// How often.
    pub retry: RetrySpec,
    /// Who answers for what is given up.
    pub answerable: Answerable,
    /// The file for what cannot be delivered.
    pub dead_letter: Option<DeadLetter>,
    /// What learns how long exports take, if that decides how large batches are.
    pub sizing: Option<Arc<Sizing>>,
    /// The account.
    pub meter: Arc<Meter>,
    /// When to stop.
    pub stop: Stop,
}

/// How a delivery ended.
enum End {
    Delivered(Outcome),
    Refused(Failure),
    Exhausted(Failure),
    Stopped,
    /// The destination ends, and the log has the records: nothing is lost, and nothing has to be tried.
    Left,
    /// All its senders have hung up: they still have the records.
    Abandoned,
}

impl Courier {
    /// Delivers a batch or gives it up; either way it is accounted for, and its place is free again unless a durable
    /// queue keeps it.
    pub async fn deliver(&self, batch: Batch) -> Verdict {
        let end = tokio::select! {
            biased;
            () = self.stop.deadline() => End::Stopped,
            end = self.carry(&batch) => end,
        };
        let verdict = self.account(&batch, end).await;
        batch.settle(verdict);
        verdict
    }

    async fn carry(&self, batch: &Batch) -> End {
        let frames = match self.route.prepare(batch.signal, &batch.requests).await {
            Ok(frames) => frames,
            Err(failure) => return End::Refused(failure),
        };
        let started = Instant::now();
        let mut backoff = Backoff::new(&self.retry);
        let mut round = Round::default();
        let mut after = None;
        let mut is_kept = false;
        loop {
            let Some(attempt) = self.route.passage(&mut round, &self.stop, || self.wants(batch)).await else {
                return if self.leaves() { End::Left } else { End::Abandoned };
            };
            let begun = Instant::now();
            let result = attempt.make(batch.signal, &frames).await;
            let took = begun.elapsed();
            self.meter.attempted(took, &result);
            if let (Ok(_), Some(sizing)) = (&result, &self.sizing) {
                sizing.observe(took, batch.records);
            }
            let failure = match result {
                Ok(outcome) => return End::Delivered(outcome),
                Err(failure) if failure.is_retryable() => failure,
                Err(failure) => return End::Refused(failure),
            };
            if self.answerable == Answerable::Sender && !batch.is_awaited() {
                return End::Abandoned;
            }
            after = after.max(failure.after());
            if self.retry.enabled && !self.leaves() && self.route.has_another(&round) {
                let exporter = self.meter.exporter();
                tracing::warn!(exporter, batch.records, "delivery failed and goes to another endpoint: {failure}");
                continue;
            }
            round = Round::default();
            let after = after.take();
            let wait = match backoff.wait(started.elapsed(), after) {
                Some(wait) => wait,
                None if self.keeps_on() => {
                    if !std::mem::replace(&mut is_kept, true) {
                        self.tell_kept(batch, &failure);
                    }
                    backoff.keep_on(after)
                }
                None => return End::Exhausted(failure),
            };
            if self.leaves() {
                return End::Left;
            }
            tracing::warn!(
                exporter = self.meter.exporter(),
                records = batch.records,
                wait_ms = wait.as_millis() as u64,
                "delivery failed and will be tried again: {failure}"
            );
            self.pause(wait).await;
            if self.leaves() {
                return End::Left;
            }
        }
    }

    /// Whether a batch goes on waiting for an endpoint that works.
    fn wants(&self, batch: &Batch) -> bool {
        match self.answerable {
            Answerable::Here => true,
            Answerable::Log => !self.leaves(),
            Answerable::Sender => batch.is_awaited(),
        }
    }

    /// Whether a batch is tried again for ever.
    fn keeps_on(&self) -> bool {
        self.answerable != Answerable::Sender && self.retry.on_exhausted == OnExhausted::Keep
    }

    fn tell_kept(&self, batch: &Batch, failure: &Failure) {
        let (exporter, records, every) = (self.meter.exporter(), batch.records, self.retry.max_interval);
        let why = said(failure);
        tracing::error!(exporter, records, "they are kept in the queue and tried every {every:?}: {why}");
    }

    /// Whether what fails now is left in the log for the next start.
    pub(super) fn leaves(&self) -> bool {
        self.answerable == Answerable::Log && self.stop.is_asked()
    }

    /// Waits. A wait that a shutdown comes into ends at once, since there may be no time for another try.
    pub(super) async fn pause(&self, wait: Duration) {
        let rest = sleep(wait);
        match self.stop.is_asked() {
            true => rest.await,
            false => tokio::select! {
                () = rest => {}
                _ = self.stop.asked() => {}
            },
        }
    }

    async fn account(&self, batch: &Batch, end: End) -> Verdict {
        let (signal, records, exporter) = (batch.signal, batch.records, self.meter.exporter());
        match end {
            End::Delivered(outcome) => {
                self.meter.delivered(signal, records, outcome.rejected);
                if outcome != Outcome::default() {
                    let Outcome { rejected, message } = outcome;
                    tracing::warn!(exporter, records, rejected, "the peer took the request, but says: {message}");
                }
                Verdict::Taken
            }
            End::Refused(failure) => {
                tracing::error!(exporter, records, "given up, since the peer refused for good: {}", said(&failure));
                self.bury(batch, Loss::RefusedByPeer, &failure).await
            }
            End::Exhausted(failure) => {
                tracing::error!(exporter, records, "given up after the last attempt: {}", said(&failure));
                match self.answerable {
                    Answerable::Sender => self.return_to_sender(batch),
                    _ if self.retry.on_exhausted == OnExhausted::DeadLetter => {
                        self.bury(batch, Loss::RetriesExhausted, &failure).await
                    }
                    _ => self.lose(batch, Loss::RetriesExhausted),
                }
            }
            End::Abandoned => self.return_to_sender(batch),
            End::Left => Verdict::Undelivered,
            End::Stopped => match self.answerable {
                Answerable::Log => Verdict::Undelivered,
                Answerable::Sender => self.return_to_sender(batch),
                Answerable::Here => {
                    tracing::error!(exporter, records, "given up, since the time for the shutdown is over");
                    self.lose(batch, Loss::Shutdown)
                }
            },
        }
    }

    pub(super) fn lose(&self, batch: &Batch, loss: Loss) -> Verdict {
        self.meter.gave_up(batch.signal, batch.records);
        self.meter.lost(batch.signal, batch.records, loss);
        Verdict::Refused
    }

    fn return_to_sender(&self, batch: &Batch) -> Verdict {
        self.meter.gave_up(batch.signal, batch.records);
        Verdict::Undelivered
    }
}
