//! An entry that was handed out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Handle;
use super::frame::Head;
use super::state::{Location, Ready};
use crate::data::Payload;
use std::sync::Arc;

/// An entry, and the duty to say how it ended. Dropped without a word it goes back and is handed out again, by this
/// process or the next.
#[derive(Debug)]
#[must_use = "dropped, it goes back into the queue"]
pub struct Stored {
    /// What was taken.
    pub payload: Payload,
    /// The duty.
    pub ticket: Ticket,
}

/// The part of a [`Stored`] that stays when its payload has gone into a batch.
#[derive(Debug)]
#[must_use = "dropped, the entry goes back into the queue"]
pub struct Ticket {
    handle: Arc<Handle>,
    head: Head,
    location: Location,
    ended: bool,
}

impl Stored {
    pub(super) fn new(handle: Arc<Handle>, ready: Ready) -> Self {
        let Ready { head, location, payload } = ready;
        Stored { payload, ticket: Ticket { handle, head, location, ended: false } }
    }

    /// It was delivered, or is settled otherwise: it will not be handed out again.
    pub fn delivered(self) {
        self.ticket.delivered();
    }
}

impl Ticket {
    /// When the entry was taken.
    pub fn enqueued(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.head.enqueued_ms)
    }

    /// Its number: entries are handed out in this order, except those that come back.
    pub fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// The entry was delivered, or is settled otherwise: it will not be handed out again.
    pub fn delivered(mut self) {
        self.ended = true;
        let shared = &self.handle.shared;
        let mut state = shared.state.lock();
        state.finish(&self.head);
        state.show(&shared.meter);
        drop(state);
        shared.to_keep.notify_one();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let shared = &self.handle.shared;
        shared.state.lock().put_back(self.head.sequence, self.location);
        shared.to_read.notify_one();
    }
}
