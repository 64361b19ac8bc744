//! A frame: one entry in a segment.
//!
//! ```text
//!  0      4        8          16         24        32            36       40          44
//!  │ mark │ length │ sequence │ enqueued │ records │ payload crc │ signal │ head crc  │ payload …
//! ```
//!
//! Numbers are little-endian; times are milliseconds since 1970. The head has a checksum of its own, so that a
//! damaged payload costs exactly this entry, whose length and number of records are still known. Checksums (CRC-32C)
//! begin with the segment's salt, a random number: bytes that a client sends, which end up in payloads, cannot be
//! mistaken for a frame when a damaged segment is searched for the next one.

use bytes::Bytes;

use super::tally::Tally;
use crate::data::{Payload, Signal};

/// What a head begins with.
pub const MARK: [u8; 4] = *b"\xf1SqF";

/// Bytes of a head.
pub const HEAD_BYTES: usize = 44;

const CHECKED_BYTES: usize = HEAD_BYTES - 4;

/// What a frame says about its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub length: u32,
    /// The entry's number in the queue.
    pub sequence: u64,
    /// When it was taken.
    pub enqueued_ms: u64,
    /// Records in it.
    pub records: u64,
    /// Its checksum.
    pub payload_crc: u32,
    /// What it carries.
    pub signal: Signal,
}

impl Head {
    /// The head of a payload; none if that is longer than a frame can be.
    pub fn new(payload: &Payload, sequence: u64, enqueued_ms: u64, salt: u32) -> Option<Self> {
        Some(Head {
            length: u32::try_from(payload.bytes.len()).ok()?,
            sequence,
            enqueued_ms,
            records: payload.records,
            payload_crc: crc32c::crc32c_append(salt, &payload.bytes),
            signal: payload.signal,
        })
    }

    /// As it is written.
    pub fn encode(&self, salt: u32) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(place) = out.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&MARK);
        put(&self.length.to_le_bytes());
        put(&self.sequence.to_le_bytes());
        put(&self.enqueued_ms.to_le_bytes());
        put(&self.records.to_le_bytes());
        put(&self.payload_crc.to_le_bytes());
        put(&[self.signal as u8, 0, 0, 0]);
        let (checked, crc) = out.split_at_mut(CHECKED_BYTES);
        crc.copy_from_slice(&crc32c::crc32c_append(salt, checked).to_le_bytes());
        out
    }

    /// The head at the beginning of some bytes; none if there is no sound one.
    pub fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let bytes: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        let (checked, crc) = bytes.split_at(CHECKED_BYTES);
        if !bytes.starts_with(&MARK) || crc != crc32c::crc32c_append(salt, checked).to_le_bytes() {
            return None;
        }
        Some(Head {
            length: u32::from_le_bytes(chunk(bytes, 4)?),
            sequence: u64::from_le_bytes(chunk(bytes, 8)?),
            enqueued_ms: u64::from_le_bytes(chunk(bytes, 16)?),
            records: u64::from_le_bytes(chunk(bytes, 24)?),
            payload_crc: u32::from_le_bytes(chunk(bytes, 32)?),
            signal: Signal::ALL.get(usize::from(*bytes.get(36)?)).copied()?,
        })
    }

    /// Whether this is the payload that the head was made for.
    pub fn fits(&self, payload: &[u8], salt: u32) -> bool {
        crc32c::crc32c_append(salt, payload) == self.payload_crc
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.length)
    }

    /// What it counts for.
    pub fn tally(&self) -> Tally {
        Tally { entries: 1, records: self.records, bytes: u64::from(self.length) }
    }

    /// The payload, as it goes on.
    pub fn payload(&self, bytes: Bytes) -> Payload {
        Payload { signal: self.signal, bytes, records: self.records }
    }
}

/// The `N` bytes at a place.
pub(super) fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_no_flipped_bit_is_overlooked() {
        let payload = Payload { signal: Signal::Logs, bytes: Bytes::from_static(b"some logs"), records: 7 };
        let head = Head::new(&payload, 12_345_678_901, 1_700_000_000_123, 99).unwrap();
        let bytes = head.encode(99);
        assert_eq!(Head::decode(&bytes, 99), Some(head));
        assert_eq!(Head::decode(&bytes, 98), None);
        assert!(head.fits(b"some logs", 99) && !head.fits(b"some logz", 99) && !head.fits(b"some logs", 98));
        for bit in 0..HEAD_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&flipped, 99), None, "bit {bit}");
        }
        assert_eq!(Head::decode(&bytes[..HEAD_BYTES - 1], 99), None);
    }
}
