//! The signal that a destination has to end, and by when.

use std::future::pending;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The side that says it.
pub type StopTx = watch::Sender<Option<Instant>>;

/// The side that hears it. If the other side is gone without a word, there is no deadline.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    /// Both sides.
    pub fn channel() -> (StopTx, Stop) {
        let (tx, rx) = watch::channel(None);
        (tx, Stop(rx))
    }

    /// Ends when the destination has to come to an end; the deadline is still ahead.
    pub async fn asked(&self) {
        let mut stop = self.0.clone();
        // An error means that nobody holds the destination any more: an end, too.
        let _ = stop.wait_for(Option::is_some).await;
    }

    /// Ends at the deadline.
    pub async fn deadline(&self) {
        let mut stop = self.0.clone();
        let deadline = match stop.wait_for(Option::is_some).await {
            Ok(deadline) => *deadline,
            Err(_) => None,
        };
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    }
}
