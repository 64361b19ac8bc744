//! The life of a destination as its lanes hear of it: prepared, in charge, and at some time told to end.

use std::future::pending;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Where a destination is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Built, but it may never come to serve: what lies in its durable queue is not touched.
    Prepared,
    /// It delivers.
    Serving,
    /// It comes to its end.
    Ending(End),
}

/// How and by when a destination ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When it gives up what it still has.
    pub deadline: Instant,
    /// What becomes of a durable queue.
    pub manner: Manner,
}

/// What becomes of a durable queue at the end. Memory is always delivered as far as time allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is delivered as long as that goes well; the rest stays in it for the next start.
    Deliver,
    /// It stays as it is: somebody else delivers from it.
    HandOver,
}

/// The side that says it.
pub type StopTx = watch::Sender<Phase>;

/// The side that hears it. If the other side is gone without a word, there is no deadline.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Both sides of a destination that is prepared.
    pub fn channel() -> (StopTx, Stop) {
        let (tx, rx) = watch::channel(Phase::Prepared);
        (tx, Stop(rx))
    }

    /// Ends when the destination serves, or has to end; the answer is whether it served.
    pub async fn begun(&self) -> bool {
        let mut stop = self.0.clone();
        let phase = stop.wait_for(|phase| *phase != Phase::Prepared).await;
        phase.is_ok_and(|phase| *phase == Phase::Serving)
    }

    /// Whether the destination has to come to an end.
    pub fn is_asked(&self) -> bool {
        matches!(*self.0.borrow(), Phase::Ending(_)) || self.0.has_changed().is_err()
    }

    /// Ends when the destination has to come to an end; the deadline is still ahead. None: nobody holds it any more.
    pub async fn asked(&self) -> Option<End> {
        let mut stop = self.0.clone();
        let phase = stop.wait_for(|phase| matches!(phase, Phase::Ending(_))).await;
        match phase.map(|phase| *phase) {
            Ok(Phase::Ending(end)) => Some(end),
            _ => None,
        }
    }

    /// Ends at the deadline.
    pub async fn deadline(&self) {
        match self.asked().await {
            Some(end) => sleep_until(end.deadline).await,
            None => pending().await,
        }
    }
}
