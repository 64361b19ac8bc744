//! A lease: so many bytes of the account, given back when it is dropped.

use bytes::Bytes;

use super::{Memory, Shortage};

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A body that is being read.
    Reading,
    /// A body that is being decompressed, or turned from JSON into protobuf.
    Decoding,
    /// A whole request: in a chain, in queues, in batches, under way.
    Requests,
    /// What a chain wrote anew, where it changed a request.
    Edited,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 4;
    /// All of them.
    pub(super) const ALL: [Kind; Kind::COUNT] = [Kind::Reading, Kind::Decoding, Kind::Requests, Kind::Edited];

    /// As in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Reading => "reading",
            Kind::Decoding => "decoding",
            Kind::Requests => "requests",
            Kind::Edited => "edited",
        }
    }
}

/// Bytes of the account. Dropped, it gives them back.
#[derive(Debug)]
#[must_use = "what is not held is given back at once"]
pub struct Lease {
    memory: Memory,
    kind: Kind,
    bytes: usize,
}

impl Lease {
    pub(super) fn empty(memory: Memory, kind: Kind) -> Lease {
        Lease { memory, kind, bytes: 0 }
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes so many bytes more, or none.
    pub fn grow(&mut self, more: usize) -> Result<(), Shortage> {
        self.memory.0.add(self.kind, more)?;
        self.bytes += more;
        Ok(())
    }

    /// Gives back what is more than so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.memory.0.subtract(self.kind, less);
        self.bytes -= less;
    }

    /// Moves into the bytes that it was taken for: it ends with the last slice of them.
    pub fn keep(mut self, bytes: Bytes, kind: Kind) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        self.becomes(kind);
        Bytes::from_owner(Kept { bytes, _lease: self })
    }

    fn becomes(&mut self, kind: Kind) {
        let bytes = super::signed(self.bytes);
        self.memory.0.gauge(self.kind).dec_by(bytes);
        self.memory.0.gauge(kind).inc_by(bytes);
        self.kind = kind;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.memory.0.subtract(self.kind, self.bytes);
    }
}

/// Bytes with the lease that was taken for them.
struct Kept {
    bytes: Bytes,
    _lease: Lease,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
