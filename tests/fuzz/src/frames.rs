//! A segment of the durable queue that was damaged: payloads, then what happens to the bytes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sluicebox::data::{Payload, Signal};
use sluicebox::queue::files::OpenFile;
use sluicebox::queue::frame::{HEAD_BYTES, Head};
use sluicebox::queue::segment::Header;
use sluicebox::queue::walk::{Found, Walk};

use crate::input::Input;

/// Frames of one segment, and places that are damaged.
const FRAMES_MAX: u8 = 16;
const DAMAGES_MAX: u8 = 8;

/// The walk comes to the end, without gaps and without a frame that is not sound; and whatever happened to some frames,
/// it finds every other as it was written.
pub fn check(data: &[u8]) {
    any_bytes(data);
    let mut input = Input(data);
    // Of all of the input, so that no input can be made that forges a checksum.
    let salt = hash(data);
    let mut segment = Vec::new();
    let mut written = Vec::new();
    for sequence in 0..u64::from(input.u8() % FRAMES_MAX) {
        let length = usize::from(input.u8());
        let payload = Payload { signal: Signal::Logs, bytes: Bytes::copy_from_slice(input.bytes(length)), records: 1 };
        let head = Head::new(&payload, sequence, 1_763_712_000_000, salt).expect("a payload below 4 GiB");
        let at = segment.len();
        segment.extend_from_slice(&head.encode(salt));
        segment.extend_from_slice(&payload.bytes);
        written.push((at..segment.len(), head, payload.bytes));
    }
    for _ in 0..input.u8() % DAMAGES_MAX {
        let (place, value) = (usize::from(input.u16()), input.u8());
        if let Some(byte) = segment.get_mut(place) {
            *byte ^= value;
            if value != 0 {
                written.retain(|(range, ..)| !range.contains(&place));
            }
        }
    }
    let cut = usize::from(input.u16());
    if input.u8() == b'c' && cut < segment.len() {
        segment.truncate(cut);
        written.retain(|(range, ..)| range.end <= cut);
    }
    let found = walk(&segment, salt);
    for (range, head, payload) in written {
        let frame = Found::Frame { at: range.start as u64, head, payload };
        assert!(found.contains(&frame), "the frame at {range:?} is lost");
    }
}

/// Bytes that were never a segment.
fn any_bytes(data: &[u8]) {
    let _ = Header::decode(data);
    let salt = data.first_chunk().map_or(0, |salt| u32::from_le_bytes(*salt));
    walk(data, salt);
}

fn walk(segment: &[u8], salt: u32) -> Vec<Found> {
    let file = Arc::new(Memory(segment.to_vec()));
    let mut walk = Walk::new(file, salt, 0, segment.len() as u64);
    let (mut found, mut next) = (Vec::new(), 0);
    while let Some(step) = walk.step().expect("memory can be read") {
        let (at, end) = match &step {
            Found::Frame { at, head, payload } => {
                assert!(head.fits(payload, salt) && payload.len() == head.length as usize);
                (*at, at + (HEAD_BYTES + payload.len()) as u64)
            }
            Found::Damaged { at, end, .. } => (*at, *end),
        };
        assert!(at == next && end > at && end <= segment.len() as u64, "from {next}, {at} to {end}");
        next = end;
        found.push(step);
    }
    assert_eq!(next, segment.len() as u64, "it stops before the end");
    found
}

/// FNV-1a: enough to make the salt depend on every byte.
fn hash(data: &[u8]) -> u32 {
    data.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A file that is only read.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl OpenFile for Memory {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
