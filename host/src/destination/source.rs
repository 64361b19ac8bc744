//! Where a lane takes its payloads from: a channel of its own, or the durable log that all lanes share.

use tokio::sync::mpsc;

use super::batch::Entry;
use super::charge::Held;
use crate::queue::{Queue, Stored};

/// What a lane takes from.
#[derive(Debug)]
pub enum Source {
    /// Memory: what was sent to this lane.
    Lane(mpsc::Receiver<Entry>),
    /// The log: whoever comes first.
    Log(Queue),
}

impl Source {
    /// The next payload; none: there will be no more. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Entry> {
        match self {
            Source::Lane(entries) => entries.recv().await,
            Source::Log(queue) => {
                let Stored { payload, ticket } = queue.next().await?;
                Some(Entry { payload, share: Held::logged(ticket).share() })
            }
        }
    }

    /// The next payload, if memory has one at this moment.
    pub fn next_at_hand(&mut self) -> Option<Entry> {
        match self {
            Source::Lane(entries) => entries.try_recv().ok(),
            Source::Log(_) => None,
        }
    }

    /// Whether what is taken from it and not delivered is safe.
    pub fn is_durable(&self) -> bool {
        matches!(self, Source::Log(_))
    }

    /// Whether the log has nothing to give at the moment. Memory says so with the end of [`Source::next`].
    pub fn is_idle(&self) -> bool {
        match self {
            Source::Lane(_) => false,
            Source::Log(queue) => queue.is_idle(),
        }
    }

    /// Takes nothing more that was not promised a place. The log is not the lane's to close.
    pub fn close(&mut self) {
        if let Source::Lane(entries) = self {
            entries.close();
        }
    }
}
