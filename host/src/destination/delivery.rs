//! Delivering one batch: attempts and waits until it is taken, refused or given up, and the account of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::batch::Batch;
use super::charge::Verdict;
use super::meter::{Loss, Meter};
use super::route::{Round, Route};
use super::stop::Stop;
use crate::config::spec::RetrySpec;
use crate::exporter::outcome::printable;
use crate::exporter::{Failure, Outcome};

/// Who answers for a batch that cannot be delivered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerable {
    /// The destination: it was acknowledged, so that giving up is a loss.
    Here,
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
    /// All its senders have hung up: they still have the records.
    Abandoned,
}

impl Courier {
    /// Delivers a batch or gives it up; either way it is accounted for and its room is free again.
    pub async fn deliver(&self, batch: Batch) {
        let end = tokio::select! {
            biased;
            () = self.stop.deadline() => End::Stopped,
            end = self.carry(&batch) => end,
        };
        let verdict = self.account(&batch, end);
        batch.settle(verdict);
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
        loop {
            let wanted = || self.answerable == Answerable::Here || batch.is_awaited();
            let Some(attempt) = self.route.passage(&mut round, &self.stop, wanted).await else {
                return End::Abandoned;
            };
            let begun = Instant::now();
            let result = attempt.make(batch.signal, &frames).await;
            self.meter.attempted(begun.elapsed(), &result);
            let failure = match result {
                Ok(outcome) => return End::Delivered(outcome),
                Err(failure) if failure.is_retryable() => failure,
                Err(failure) => return End::Refused(failure),
            };
            if !wanted() {
                return End::Abandoned;
            }
            after = after.max(failure.after());
            if self.retry.enabled && self.route.has_another(&round) {
                let exporter = self.meter.exporter();
                tracing::warn!(exporter, batch.records, "delivery failed and goes to another endpoint: {failure}");
                continue;
            }
            let Some(wait) = backoff.wait(started.elapsed(), after.take()) else { return End::Exhausted(failure) };
            round = Round::default();
            tracing::warn!(
                exporter = self.meter.exporter(),
                records = batch.records,
                wait_ms = wait.as_millis() as u64,
                "delivery failed and will be tried again: {failure}"
            );
            self.pause(wait).await;
        }
    }

    /// Waits. A wait that a shutdown comes into ends at once, since there may be no time for another try.
    async fn pause(&self, wait: Duration) {
        let rest = sleep(wait);
        match self.stop.is_asked() {
            true => rest.await,
            false => tokio::select! {
                () = rest => {}
                () = self.stop.asked() => {}
            },
        }
    }

    fn account(&self, batch: &Batch, end: End) -> Verdict {
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
                self.meter.gave_up(signal, records);
                self.meter.lost(signal, records, Loss::RefusedByPeer);
                tracing::error!(exporter, records, "dropped, since the peer refused for good: {}", said(&failure));
                Verdict::Refused
            }
            End::Exhausted(failure) => {
                tracing::error!(exporter, records, "given up after the last attempt: {}", said(&failure));
                self.give_up(batch, Loss::RetriesExhausted)
            }
            End::Abandoned => self.give_up(batch, Loss::RetriesExhausted),
            End::Stopped => {
                tracing::error!(exporter, records, "given up, since the time for the shutdown is over");
                self.give_up(batch, Loss::Shutdown)
            }
        }
    }

    fn give_up(&self, batch: &Batch, loss: Loss) -> Verdict {
        self.meter.gave_up(batch.signal, batch.records);
        if self.answerable == Answerable::Here {
            self.meter.lost(batch.signal, batch.records, loss);
        }
        Verdict::Undelivered
    }
}

fn said(failure: &Failure) -> String {
    printable(&failure.to_string())
}
