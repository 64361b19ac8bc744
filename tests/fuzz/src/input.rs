//! Values out of fuzzed bytes: simple enough that seeds can be written by hand. What is not there is 0.

use sluicebox::data::Signal;

pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    pub fn u64(&mut self) -> u64 {
        (0..8).fold(0, |number, shift| number | u64::from(self.u8()) << (8 * shift))
    }

    /// As many as there are, at most `count`.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// `t`, `m` or `l`, so that seeds can be read; of other bytes the remainder.
    pub fn signal(&mut self) -> Signal {
        match self.u8() {
            b't' => Signal::Traces,
            b'm' => Signal::Metrics,
            b'l' => Signal::Logs,
            other => Signal::ALL[usize::from(other) % Signal::ALL.len()],
        }
    }

    /// The rest.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}
