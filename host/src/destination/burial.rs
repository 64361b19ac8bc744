//! The end of a batch that will never be delivered: the dead-letter file, where there is one, and the count.

use super::batch::Batch;
use super::charge::Verdict;
use super::delivery::{Answerable, Courier};
use super::meter::Loss;
use crate::dead_letter::{DeadLetterError, Why};
use crate::exporter::Failure;
use crate::exporter::outcome::printable;

impl Courier {
    /// Ends with a batch: into the dead-letter file, if there is one. Where a log keeps the batch until then, a file
    /// that cannot be written is tried again.
    pub(super) async fn bury(&self, batch: &Batch, loss: Loss, failure: &Failure) -> Verdict {
        let Some(file) = &self.dead_letter else { return self.lose(batch, loss) };
        let (exporter, records) = (self.meter.exporter(), batch.records);
        let why = Why { component: exporter.to_owned(), reason: loss.reason(), error: said(failure), ..Why::default() };
        let request = batch.joined();
        loop {
            let path = file.path().display();
            let error = match file.write(batch.signal, request.clone(), records, &why).await {
                Ok(()) => {
                    tracing::warn!(exporter, records, "what was given up is in the dead-letter file {path}");
                    return self.lose(batch, loss);
                }
                Err(error) => error,
            };
            let passes = !matches!(error, DeadLetterError::Encode(_));
            if self.answerable != Answerable::Log || !passes {
                tracing::error!(
                    exporter,
                    records,
                    "dropped, since the dead-letter file {path} does not take it: {error}"
                );
                return self.lose(batch, loss);
            }
            tracing::error!(
                exporter,
                records,
                "kept in the queue, since the dead-letter file {path} does not take it: {error}"
            );
            self.pause(self.retry.max_interval).await;
            if self.leaves() {
                return Verdict::Undelivered;
            }
        }
    }
}

/// What a peer said, for a log line.
pub(super) fn said(failure: &Failure) -> String {
    printable(&failure.to_string())
}
