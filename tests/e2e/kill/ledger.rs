//! The outside ledger: which spans were acknowledged to clients, and how often the backend has got each of them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Acknowledged to its client.
const ACKNOWLEDGED: u8 = 0x80;
/// How often it came to the backend, up to 15.
const TIMES: u8 = 0x0f;

/// The ledger. Spans are numbered from 0 in the order in which they were sent; the number is the id of the span.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    spans: Vec<u8>,
    /// Deliveries beyond the first of a span.
    duplicates: u64,
    /// Spans that were taken, but whose sender was not told so: it has to send them again (E34).
    ambiguous: u64,
    unknown: u64,
}

/// The sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Spans that clients sent.
    pub sent: u64,
    /// Spans that were acknowledged.
    pub acknowledged: u64,
    /// Distinct spans that came to the backend.
    pub received: u64,
    /// Acknowledged spans that did not.
    pub missing: u64,
    /// Deliveries beyond the first of a span.
    pub duplicates: u64,
    /// Spans in deliveries that the backend took without saying so.
    pub ambiguous: u64,
}

impl Ledger {
    /// The numbers of spans that are about to be sent.
    pub fn open(&self, count: u64) -> Range<u64> {
        let mut entries = self.0.lock().unwrap();
        let first = entries.spans.len() as u64;
        entries.spans.resize((first + count) as usize, 0);
        first..first + count
    }

    /// A client was told that these were taken.
    pub fn acknowledge(&self, numbers: Range<u64>) {
        let mut entries = self.0.lock().unwrap();
        for number in numbers {
            entries.spans[number as usize] |= ACKNOWLEDGED;
        }
    }

    /// The backend took these, and says so or not.
    pub fn receive(&self, numbers: &[u64], says_so: bool) {
        let mut entries = self.0.lock().unwrap();
        for number in numbers {
            let Some(span) = entries.spans.get_mut(*number as usize) else {
                entries.unknown += 1;
                continue;
            };
            let times = *span & TIMES;
            *span = (*span & ACKNOWLEDGED) | (times + 1).min(TIMES);
            entries.duplicates += u64::from(times > 0);
        }
        if !says_so {
            entries.ambiguous += numbers.len() as u64;
        }
    }

    /// The sums so far.
    pub fn totals(&self) -> Totals {
        let entries = self.0.lock().unwrap();
        assert_eq!(entries.unknown, 0, "spans came that nobody had sent");
        let count = |is: &dyn Fn(u8) -> bool| entries.spans.iter().filter(|span| is(**span)).count() as u64;
        Totals {
            sent: entries.spans.len() as u64,
            acknowledged: count(&|span| span & ACKNOWLEDGED != 0),
            received: count(&|span| span & TIMES != 0),
            missing: count(&|span| span & ACKNOWLEDGED != 0 && span & TIMES == 0),
            duplicates: entries.duplicates,
            ambiguous: entries.ambiguous,
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { sent, acknowledged, received, missing, duplicates, ambiguous } = self;
        write!(
            f,
            "{sent} spans sent, {acknowledged} acknowledged, {received} received, {missing} acknowledged and not there, \
             {duplicates} received again ({ambiguous} taken without an answer)"
        )
    }
}
