//! Reading a request's body: no more than its limit, no slower than its pace, and with no more copies than needed.
//!
//! This is where a request's memory begins: the buffer never grows before its lease has.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::admission::{Ticket, TurnedAway};
use crate::memory::Kind;

/// A body that came in one piece is passed on as a slice of the connection's read buffer, unless it is smaller than
/// this: then it is copied, because the slice would keep the whole buffer (up to 128 KiB) alive for as long as the
/// request waits in a queue, which counts only the request's own bytes.
const SLICED_MIN: usize = 16 << 10;

/// Bytes that are reserved at first on a client's word about the length.
const RESERVED_MAX: usize = 1 << 20;

/// Bytes a second above which a client is never too slow.
const PACE_MIN: u64 = 64 << 10;

/// A body that was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than it may be; the rest was not read.
    #[error("the request is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The client sends too slowly.
    #[error("the request's body came too slowly: {received} bytes in {after:?}")]
    TooSlow {
        /// Bytes that came.
        received: usize,
        /// Time that was given.
        after: Duration,
    },
    /// The connection failed, or the client gave up.
    #[error("the request's body broke off: {0}")]
    Broken(String),
    /// There is no room for it now; the rest was not read.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
}

/// Reads a whole body of at most `limit` bytes.
///
/// The client has `patience`, and one more second for each 64 KiB that have come. `expected` is asked once, with the
/// first bytes of the body, how long the whole will be.
pub async fn read<B>(
    body: &mut B,
    limit: usize,
    patience: Duration,
    ticket: &mut Ticket,
    expected: impl FnOnce(&[u8]) -> Option<u64>,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut pace = Pace { earns: true, ..Pace::new(patience) };
    let Some(first) = pace.next(body).await? else { return Ok(Bytes::new()) };
    let expected = expected(&first).map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if first.len().max(expected) > limit {
        return Err(BodyError::TooLarge { limit });
    }
    let mut lease = ticket.lease(Kind::Reading);
    let capacity = expected.min(RESERVED_MAX).max(first.len());
    ticket.grow(&mut lease, capacity)?;
    let mut next = pace.next(body).await?;
    if next.is_none() {
        lease.shrink_to(first.len());
        return Ok(lease.keep(settled(first), Kind::Requests));
    }
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&first);
    drop(first);
    while let Some(data) = next {
        if bytes.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if bytes.capacity() - bytes.len() < data.len() {
            // In one step, now that the client has shown that it means it; one that lied has it doubled.
            let size = expected.max(bytes.len() + data.len()).max(bytes.len().saturating_mul(2).min(limit));
            ticket.grow(&mut lease, size - bytes.capacity())?;
            bytes.reserve_exact(size - bytes.len());
        }
        bytes.extend_from_slice(&data);
        next = pace.next(body).await?;
    }
    Ok(lease.keep(Bytes::from(bytes), Kind::Requests))
}

/// Reads and forgets the rest of a body, so that the connection can carry the next request: at most `limit` bytes, for
/// at most `patience`. Says whether the end came.
pub async fn discard<B>(body: &mut B, limit: usize, patience: Duration) -> bool
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut pace = Pace::new(patience);
    while pace.received <= limit {
        match pace.next(body).await {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    false
}

fn settled(whole: Bytes) -> Bytes {
    if whole.len() < SLICED_MIN { Bytes::copy_from_slice(&whole) } else { whole }
}

/// How long a client may take.
struct Pace {
    start: Instant,
    patience: Duration,
    received: usize,
    /// Whether more bytes buy more time.
    earns: bool,
}

impl Pace {
    fn new(patience: Duration) -> Pace {
        Pace { start: Instant::now(), patience, received: 0, earns: false }
    }

    fn allowed(&self) -> Duration {
        let earned = if self.earns { self.received as u64 * 1000 / PACE_MIN } else { 0 };
        self.patience + Duration::from_millis(earned)
    }

    /// The next data of the body; none at its end.
    async fn next<B>(&mut self, body: &mut B) -> Result<Option<Bytes>, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        loop {
            let allowed = self.allowed();
            match timeout_at(self.start + allowed, body.frame()).await {
                Err(_) => return Err(BodyError::TooSlow { received: self.received, after: allowed }),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(BodyError::Broken(error.to_string())),
                Ok(Some(Ok(frame))) => {
                    // Trailers of requests mean nothing in OTLP.
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len();
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}
