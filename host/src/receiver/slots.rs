//! Places for connections: counted, waited for, and as many as the wiring of the moment allows.

use std::sync::Arc;

use tokio::sync::watch;

/// The places of one listener. A clone counts the same connections.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<watch::Sender<usize>>);

/// Held by a connection as long as it is open.
#[derive(Debug)]
pub(super) struct Slot(Slots);

impl Slots {
    pub fn new() -> Slots {
        Slots(Arc::new(watch::Sender::new(0)))
    }

    /// Connections that are open.
    pub fn taken(&self) -> usize {
        *self.0.borrow()
    }

    /// Takes a place, if fewer than `max` are taken. Only the accept loop takes places, so none is taken in between.
    pub fn try_take(&self, max: usize) -> Option<Slot> {
        if self.taken() >= max {
            return None;
        }
        self.0.send_modify(|taken| *taken += 1);
        Some(Slot(self.clone()))
    }

    /// Waits until a connection ends.
    pub async fn one_ended(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().changed().await;
    }

    /// Waits until no place is taken.
    pub async fn all_ended(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|taken| *taken == 0).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.send_modify(|taken| *taken -= 1);
    }
}
