//! Counts of entries, of one signal or of all.

use std::ops::{AddAssign, SubAssign};

use crate::data::Signal;

/// How much of something there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Entries: requests as they were taken.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the encoded requests.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.entries += other.entries;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

impl SubAssign for Tally {
    /// Stops at zero: a count that is wrong must not become huge.
    fn sub_assign(&mut self, other: Tally) {
        self.entries = self.entries.saturating_sub(other.entries);
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// One tally a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies([Tally; Signal::ALL.len()]);

impl Tallies {
    /// That of one signal.
    pub fn of(&self, signal: Signal) -> Tally {
        self.0.get(signal as usize).copied().unwrap_or_default()
    }

    /// Adds to one signal.
    pub fn add(&mut self, signal: Signal, tally: Tally) {
        if let Some(own) = self.0.get_mut(signal as usize) {
            *own += tally;
        }
    }

    /// Takes from one signal.
    pub fn take(&mut self, signal: Signal, tally: Tally) {
        if let Some(own) = self.0.get_mut(signal as usize) {
            *own -= tally;
        }
    }

    /// All signals with their tallies.
    pub fn iter(&self) -> impl Iterator<Item = (Signal, Tally)> + '_ {
        Signal::ALL.into_iter().zip(self.0.iter().copied())
    }

    /// The sum.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.0.iter().for_each(|tally| total += *tally);
        total
    }
}

impl SubAssign for Tallies {
    fn sub_assign(&mut self, other: Tallies) {
        other.iter().for_each(|(signal, tally)| self.take(signal, tally));
    }
}

impl AddAssign for Tallies {
    fn add_assign(&mut self, other: Tallies) {
        other.iter().for_each(|(signal, tally)| self.add(signal, tally));
    }
}
