//! A segment: one file of frames, between a header and, when nothing more comes, a footer.
//!
//! The header (44 bytes) says what can read it: a magic text, the version of the format, the segment's number, the
//! salt of its checksums, the sequence number of its first frame. The footer (132 bytes) says what is in it, so that
//! a start reads it instead of the frames (F52). A segment without a footer is the one that was written to last.

use std::path::{Path, PathBuf};

use super::frame::chunk;
use super::tally::{Tallies, Tally};
use crate::data::Signal;

/// The version of the format: of segments, and of the cursor.
pub const VERSION: u32 = 1;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 44;

/// Bytes of a footer.
pub const FOOTER_BYTES: usize = 132;

const HEADER_MAGIC: [u8; 8] = *b"SLUICEsg";
const FOOTER_MAGIC: [u8; 8] = *b"SLUICEft";
const SUFFIX: &str = ".segment";

/// The file of a segment.
pub fn path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id:016}{SUFFIX}"))
}

/// The number of a segment, by the name of its file; none if it is something else.
pub fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let all_digits = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its number.
    pub id: u64,
    /// What its checksums begin with.
    pub salt: u32,
    /// The number of its first frame.
    pub first: u64,
    /// When it was begun, in milliseconds since 1970.
    pub created_ms: u64,
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A segment that can be read.
    Sound(Header),
    /// A segment of a later version of Sluicebox.
    Newer(u32),
    /// Neither.
    Damaged,
}

impl Header {
    /// As it is written.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let parts: [&[u8]; 6] = [
            &HEADER_MAGIC,
            &VERSION.to_le_bytes(),
            &self.salt.to_le_bytes(),
            &self.id.to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.created_ms.to_le_bytes(),
        ];
        seal(&mut out, &parts, 0);
        out
    }

    /// Reads the first bytes of a file.
    pub fn decode(bytes: &[u8]) -> Opening {
        match Self::read(bytes) {
            Some(Ok(header)) => Opening::Sound(header),
            Some(Err(version)) => Opening::Newer(version),
            None => Opening::Damaged,
        }
    }

    fn read(bytes: &[u8]) -> Option<Result<Self, u32>> {
        if chunk(bytes, 0)? != HEADER_MAGIC {
            return None;
        }
        let version = u32::from_le_bytes(chunk(bytes, 8)?);
        // Of a later version nothing else is known, not even the size of its header.
        if version > VERSION && version < 1 << 16 {
            return Some(Err(version));
        }
        unseal::<HEADER_BYTES>(bytes, 0)?;
        Some(Ok(Header {
            salt: u32::from_le_bytes(chunk(bytes, 12)?),
            id: u64::from_le_bytes(chunk(bytes, 16)?),
            first: u64::from_le_bytes(chunk(bytes, 24)?),
            created_ms: u64::from_le_bytes(chunk(bytes, 32)?),
        }))
    }
}

/// What a segment ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// As in the header, which may be damaged.
    pub header: Header,
    /// One past the number of its last frame.
    pub end: u64,
    /// When its last frame was taken.
    pub newest_ms: u64,
    /// What is in it.
    pub tallies: Tallies,
}

impl Footer {
    /// As it is written.
    pub fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut out = [0; FOOTER_BYTES];
        let counts = Signal::ALL.map(|signal| {
            let Tally { entries, records, bytes } = self.tallies.of(signal);
            [entries, records, bytes].map(u64::to_le_bytes)
        });
        let counts = counts.concat().concat();
        let Header { id, salt, first, created_ms } = self.header;
        let parts: [&[u8]; 9] = [
            &FOOTER_MAGIC,
            &VERSION.to_le_bytes(),
            &salt.to_le_bytes(),
            &id.to_le_bytes(),
            &first.to_le_bytes(),
            &self.end.to_le_bytes(),
            &created_ms.to_le_bytes(),
            &self.newest_ms.to_le_bytes(),
            &counts,
        ];
        seal(&mut out, &parts, 0);
        out
    }

    /// Reads the last [`FOOTER_BYTES`] of a file; none if they are no footer.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        unseal::<FOOTER_BYTES>(bytes, 0)?;
        if chunk(bytes, 0)? != FOOTER_MAGIC || chunk(bytes, 8)? != VERSION.to_le_bytes() {
            return None;
        }
        let number = |at| Some(u64::from_le_bytes(chunk(bytes, at)?));
        let mut tallies = Tallies::default();
        for (signal, at) in Signal::ALL.into_iter().zip((56..).step_by(24)) {
            tallies.add(signal, Tally { entries: number(at)?, records: number(at + 8)?, bytes: number(at + 16)? });
        }
        let salt = u32::from_le_bytes(chunk(bytes, 12)?);
        let header = Header { id: number(16)?, salt, first: number(24)?, created_ms: number(40)? };
        Some(Footer { header, end: number(32)?, newest_ms: number(48)?, tallies })
    }
}

/// Fills `out` with `parts` and, at its end, their checksum.
pub(super) fn seal(out: &mut [u8], parts: &[&[u8]], salt: u32) {
    let mut at = 0;
    for part in parts {
        if let Some(place) = out.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
        at += part.len();
    }
    if let Some((checked, crc)) = out.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c_append(salt, checked).to_le_bytes();
    }
}

/// The first `N` bytes, if the checksum at their end is right.
pub(super) fn unseal<const N: usize>(bytes: &[u8], salt: u32) -> Option<&[u8; N]> {
    let whole = bytes.first_chunk::<N>()?;
    let (checked, crc) = whole.split_last_chunk::<4>()?;
    (*crc == crc32c::crc32c_append(salt, checked).to_le_bytes()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { id: 3, salt: 17, first: 1000, created_ms: 1_700_000_000_000 };

    #[test]
    fn headers_and_footers_are_read_as_they_were_written() {
        assert_eq!(Header::decode(&HEADER.encode()), Opening::Sound(HEADER));
        let mut tallies = Tallies::default();
        tallies.add(Signal::Metrics, Tally { entries: 1, records: 2, bytes: 3 });
        let footer = Footer { header: HEADER, end: 2000, newest_ms: 1_700_000_000_001, tallies };
        let bytes = footer.encode();
        assert_eq!(Footer::decode(&bytes), Some(footer));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes), Opening::Newer(2));
        bytes[8] = 1;
        bytes[20] ^= 1;
        assert_eq!(Header::decode(&bytes), Opening::Damaged);
        assert_eq!(Header::decode(&[]), Opening::Damaged);
    }

    #[test]
    fn names_go_both_ways() {
        let path = path(Path::new("/q"), 42);
        assert_eq!(path, Path::new("/q/0000000000000042.segment"));
        assert_eq!(id_of("0000000000000042.segment"), Some(42));
        for other in ["42.segment", "lock", "cursor", "+000000000000042.segment", "0000000000000042.segment.bak"] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }
}
