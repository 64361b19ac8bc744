//! Sets of rows; a filter's answer is one.

use crate::Batch;

/// A set of rows of one batch, as a bitmap (bit `row % 8` of byte `row / 8`). A filter answers with those that stay.
///
/// Sets are worked on eight rows at a time: narrowing the live rows with one cheap test after the other, the
/// expensive ones last, is the fastest way to a filter's answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rows {
    pub(crate) bits: Vec<u8>,
}

impl Rows {
    /// The rows that no earlier stage dropped.
    pub fn live(batch: &Batch) -> Self {
        let rows = batch.rows();
        let mut bits: Vec<u8> = (0..rows.div_ceil(8)).map(|byte| batch.live_byte(byte)).collect();
        if let (Some(last), used @ 1..) = (bits.last_mut(), rows % 8) {
            *last &= (1 << used) - 1;
        }
        Rows { bits }
    }

    /// Whether a row is in the set.
    pub fn contains(&self, row: usize) -> bool {
        self.bits.get(row / 8).is_some_and(|byte| byte & 1 << (row % 8) != 0)
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&byte| byte == 0)
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.bits.len() * 8).filter(|&row| self.contains(row))
    }

    /// Takes out the rows for which the answer is no; asks about those in the set only, in ascending order.
    #[inline]
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for (at, byte) in self.bits.iter_mut().enumerate() {
            let before = *byte;
            let mut kept = 0;
            for bit in 0..8 {
                if before & 1 << bit != 0 && keep(at * 8 + bit) {
                    kept |= 1 << bit;
                }
            }
            *byte = kept;
        }
    }

    /// Adds the rows of another set of the same batch.
    pub fn add(&mut self, other: &Rows) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(byte, other)| *byte |= other);
    }

    /// Takes out the rows of another set of the same batch.
    pub fn remove(&mut self, other: &Rows) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(byte, other)| *byte &= !other);
    }

    /// The same room, without a row.
    pub fn none_of(&self) -> Rows {
        Rows { bits: vec![0; self.bits.len()] }
    }
}
