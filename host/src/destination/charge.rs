//! Taking charge: a place in the queue is held from the moment a payload is promised one until its last record is
//! delivered or given up, and whoever waits then learns the end. In a durable queue, what was not delivered stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::oneshot;

use super::meter::Meter;
use super::room::Room;
use crate::data::Signal;
use crate::queue::{Ticket, Written};

/// How it ended for the sender of a payload. When parts of it ended differently, the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// The destination is in charge: the payload is in its queue or, without a queue, delivered.
    Taken = 0,
    /// Without a queue: the peer refused records for good. They are counted as dropped here.
    Refused = 1,
    /// Not delivered, and not counted as dropped: the sender still has it and may come again or, behind a durable
    /// queue, it stays in there.
    Undelivered = 2,
}

impl Verdict {
    fn from_number(number: u8) -> Verdict {
        match number {
            0 => Verdict::Taken,
            1 => Verdict::Refused,
            _ => Verdict::Undelivered,
        }
    }
}

/// What the sender of a payload holds until the destination has taken charge of it.
#[derive(Debug)]
#[must_use = "the destination has taken charge only when this says so"]
pub struct Charge(State);

#[derive(Debug)]
enum State {
    Taken,
    Delivering(Pending),
    Writing(Writing),
}

/// A payload on its way into a durable queue.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) written: Written,
    pub(super) meter: Arc<Meter>,
    pub(super) signal: Signal,
    pub(super) records: u64,
}

impl Writing {
    async fn verdict(&mut self) -> Verdict {
        match (&mut self.written).await {
            Ok(()) => Verdict::Taken,
            Err(_) => {
                self.meter.turned_away(self.signal, self.records);
                Verdict::Undelivered
            }
        }
    }
}

#[derive(Debug)]
struct Pending {
    verdict: oneshot::Receiver<Verdict>,
    hung_up: Arc<AtomicBool>,
}

/// Where the verdict goes.
#[derive(Debug)]
pub(super) struct Reply {
    verdict: oneshot::Sender<Verdict>,
    hung_up: Arc<AtomicBool>,
}

impl Charge {
    pub(super) fn taken() -> Self {
        Charge(State::Taken)
    }

    pub(super) fn writing(writing: Writing) -> Self {
        Charge(State::Writing(writing))
    }

    pub(super) fn pending() -> (Reply, Self) {
        let (tx, rx) = oneshot::channel();
        let hung_up = Arc::new(AtomicBool::new(false));
        (Reply { verdict: tx, hung_up: hung_up.clone() }, Charge(State::Delivering(Pending { verdict: rx, hung_up })))
    }

    /// Whether the destination is in charge already, so that there is nothing to wait for.
    pub fn is_taken(&self) -> bool {
        matches!(self.0, State::Taken)
    }

    /// Waits for the verdict: at once with a queue in memory, until it is on disk with a durable one, until delivery
    /// without any. May be dropped and called again.
    pub async fn wait(&mut self) -> Verdict {
        let verdict = match &mut self.0 {
            State::Taken => return Verdict::Taken,
            State::Delivering(pending) => (&mut pending.verdict).await.unwrap_or(Verdict::Undelivered),
            State::Writing(writing) => writing.verdict().await,
        };
        self.0 = State::Taken;
        verdict
    }

    /// Says that the sender has hung up: the destination does not try again for it. The verdict still comes.
    pub fn hang_up(&self) {
        if let State::Delivering(pending) = &self.0 {
            pending.hung_up.store(true, Ordering::Release);
        }
    }
}

/// The place that a payload holds; it is given back, and the verdict sent, with the last [`Share`] of it.
#[derive(Debug)]
pub struct Held {
    keeper: Keeper,
    bytes: usize,
    records: u64,
    /// A [`Verdict`] as a number.
    worst: AtomicU8,
    reply: Option<Reply>,
}

/// Where the place is.
#[derive(Debug)]
enum Keeper {
    Room {
        room: Arc<Room>,
        lane: usize,
    },
    /// None once it was settled. The log counts for itself.
    Log(Option<Ticket>),
}

impl Held {
    /// A place in the room of a lane.
    pub(super) fn in_room(room: Arc<Room>, lane: usize, bytes: usize, records: u64) -> Held {
        Held { keeper: Keeper::Room { room, lane }, bytes, records, worst: AtomicU8::default(), reply: None }
    }

    /// The place of what was read from a durable queue.
    pub(super) fn logged(ticket: Ticket) -> Held {
        // Bytes and records are the log's to count.
        Held { keeper: Keeper::Log(Some(ticket)), bytes: 0, records: 0, worst: AtomicU8::default(), reply: None }
    }

    /// Names who waits for the verdict.
    pub(super) fn answering(mut self, reply: Reply) -> Held {
        self.reply = Some(reply);
        self
    }

    /// The first share of it.
    pub(super) fn share(self) -> Share {
        Share { held: Arc::new(self), settled: false }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let worst = Verdict::from_number(*self.worst.get_mut());
        match &mut self.keeper {
            Keeper::Room { room, lane } => room.release(*lane, self.bytes, self.records),
            // Dropped, it is put back.
            Keeper::Log(ticket) if worst == Verdict::Undelivered => drop(ticket.take()),
            Keeper::Log(ticket) => {
                if let Some(ticket) = ticket.take() {
                    ticket.delivered();
                }
            }
        }
        if let Some(reply) = self.reply.take() {
            // The sender may be gone: its client hung up.
            let _ = reply.verdict.send(worst);
        }
    }
}

/// One piece's part in a payload that was taken. Dropped without a word it counts as undelivered: a task that is
/// torn down must not leave a delivery behind that never was.
#[derive(Debug)]
pub struct Share {
    held: Arc<Held>,
    settled: bool,
}

impl Share {
    /// Another piece of the same payload.
    pub(super) fn another(&self) -> Share {
        Share { held: self.held.clone(), settled: false }
    }

    /// Whether somebody still waits for the verdict.
    pub(super) fn is_awaited(&self) -> bool {
        let hung_up = |reply: &Reply| reply.verdict.is_closed() || reply.hung_up.load(Ordering::Acquire);
        self.held.reply.as_ref().is_some_and(|reply| !hung_up(reply))
    }

    /// Says how it ended for this piece.
    pub(super) fn settle(mut self, verdict: Verdict) {
        self.held.worst.fetch_max(verdict as u8, Ordering::AcqRel);
        self.settled = true;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.settled {
            self.held.worst.fetch_max(Verdict::Undelivered as u8, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::tests::room;
    use super::*;

    #[tokio::test]
    async fn the_worst_piece_decides_and_the_last_one_answers() {
        for (ends, verdict) in [
            (vec![Some(Verdict::Taken), Some(Verdict::Taken)], Verdict::Taken),
            (vec![Some(Verdict::Refused), Some(Verdict::Taken)], Verdict::Refused),
            (vec![Some(Verdict::Undelivered), Some(Verdict::Refused)], Verdict::Undelivered),
            (vec![Some(Verdict::Taken), None], Verdict::Undelivered),
        ] {
            let room = room(1000, 1);
            let (reply, mut charge) = Charge::pending();
            let whole = room.hold(0, 10, 1).unwrap().answering(reply).share();
            let shares: Vec<_> = ends.iter().map(|_| whole.another()).collect();
            whole.settle(Verdict::Taken);
            assert!(room.used() > 0);
            for (share, end) in shares.into_iter().zip(ends) {
                match end {
                    Some(end) => share.settle(end),
                    None => drop(share),
                }
            }
            assert_eq!(room.used(), 0);
            assert_eq!(charge.wait().await, verdict);
        }
    }
}
