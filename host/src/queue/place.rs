//! Giving an entry to the queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::error::AppendError;
use super::shared::Shared;
use super::state::{Pending, Phase, now_ms};
use super::writer::GROUP_BYTES;
use crate::data::Payload;

/// Room in a queue for one payload. Dropped, it is given back.
#[derive(Debug)]
#[must_use = "nothing is taken before it is appended"]
pub struct Place {
    shared: Arc<Shared>,
    cost: u64,
}

impl Place {
    pub(super) fn new(shared: Arc<Shared>, cost: u64) -> Self {
        Place { shared, cost }
    }

    /// Gives the payload to the writer. Takes no time; whether it was taken is known by the answer.
    pub fn append(mut self, payload: Payload) -> Written {
        let (written, answer) = oneshot::channel();
        let pending = Pending { payload, enqueued_ms: now_ms(), written };
        let mut state = self.shared.state.lock();
        // What was reserved and what it is may differ, if the payload is not the one that was asked for.
        state.release(self.cost);
        self.cost = 0;
        if state.phase < Phase::Ending {
            state.hold(pending.frame_bytes());
            state.pending_bytes += pending.frame_bytes();
            state.pending.push(pending);
            if state.writer_idle || state.pending_bytes >= GROUP_BYTES {
                self.shared.to_write.notify_one();
            }
        }
        drop(state);
        Written(answer)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.cost > 0 {
            self.shared.state.lock().release(self.cost);
        }
    }
}

/// Becomes ready when the entry is taken as the queue's `sync` says, or is not. It may be dropped: the entry is
/// written all the same.
#[derive(Debug)]
#[must_use = "the entry is taken only when this says so"]
pub struct Written(oneshot::Receiver<Result<(), AppendError>>);

impl Future for Written {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        let closed = |_| Err(AppendError { why: "the queue was closed".into() });
        answer.map(|answer| answer.unwrap_or_else(closed))
    }
}
