//! Decompression of request bodies, and compression of answers: bounded, whatever the bytes are.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::admission::{Ticket, TurnedAway};
use crate::memory::Kind;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip (RFC 1952), of any number of members.
    Gzip,
    /// zstd (RFC 8878), of any number of frames.
    Zstd,
}

/// The largest window that a zstd frame may ask for, as a power of two: 8 MiB. RFC 8878 (3.1.1.1.2) asks decoders for
/// no more, and every level up to 19 stays within it. The window is memory that a client makes us hold.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What the first guess of the inflated size is, as a multiple of the compressed one: telemetry is compressed about
/// so much, and a wrong guess costs a reallocation.
const USUAL_RATIO: usize = 8;

/// No buffer is smaller at first.
const BUFFER_MIN: usize = 4 << 10;

/// A buffer is doubled up to this size, and then made as large as the limit in one step. Only the part that is written
/// to is ever memory, while the copies that large buffers leave behind when they are doubled stay in the allocator, in
/// an arena a shard.
const DOUBLED_MAX: usize = 1 << 20;

/// Answers shorter than this are not worth a header.
const COMPRESSED_ANSWER_MIN: usize = 1 << 10;

/// A body that cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// It is larger than it may be. Nothing was read beyond the limit.
    #[error("the request is larger than {limit} bytes after decompression")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It is not what its header says, or it is cut short.
    #[error("the body cannot be decompressed: {0}")]
    Corrupt(io::Error),
    /// There is no room for it now.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
}

impl Coding {
    /// The coding that a header names; none if it is not supported.
    pub fn named(name: &str) -> Option<Coding> {
        match name.trim() {
            "" => Some(Coding::Identity),
            name if name.eq_ignore_ascii_case("identity") => Some(Coding::Identity),
            name if name.eq_ignore_ascii_case("gzip") => Some(Coding::Gzip),
            name if name.eq_ignore_ascii_case("zstd") => Some(Coding::Zstd),
            _ => None,
        }
    }

    /// Decompresses a whole body, to at most `limit` bytes, beside any account of memory.
    pub fn inflate(self, body: Bytes, limit: usize) -> Result<Bytes, InflateError> {
        self.inflate_as(body, limit, &mut |_| Ok(()))
    }

    /// Decompresses the whole body of a request, to at most `limit` bytes, as far as there is room for it.
    pub fn inflate_within(self, body: Bytes, limit: usize, ticket: &mut Ticket) -> Result<Bytes, InflateError> {
        if self == Coding::Identity {
            return self.inflate(body, limit);
        }
        let mut lease = ticket.lease(Kind::Decoding);
        let bytes = self.inflate_as(body, limit, &mut |more| ticket.grow(&mut lease, more))?;
        lease.shrink_to(bytes.len());
        Ok(lease.keep(bytes, Kind::Requests))
    }

    fn inflate_as(self, body: Bytes, limit: usize, grow: &mut Grow<'_>) -> Result<Bytes, InflateError> {
        match self {
            Coding::Identity if body.len() > limit => Err(InflateError::TooLarge { limit }),
            Coding::Identity => Ok(body),
            Coding::Gzip => read(MultiGzDecoder::new(&body[..]), body.len(), limit, grow),
            Coding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(&body[..]).map_err(InflateError::Corrupt)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(InflateError::Corrupt)?;
                read(decoder, body.len(), limit, grow)
            }
        }
    }
}

/// Asked before so many bytes more are written.
type Grow<'a> = dyn FnMut(usize) -> Result<(), TurnedAway> + 'a;

/// Reads to the end, and gives up at the first byte over the limit, or where there is no room.
fn read(mut decoder: impl Read, compressed: usize, limit: usize, grow: &mut Grow<'_>) -> Result<Bytes, InflateError> {
    let over = limit.saturating_add(1);
    let mut out = Vec::new();
    let mut size = compressed.saturating_mul(USUAL_RATIO).max(BUFFER_MIN);
    loop {
        size = if size > DOUBLED_MAX { over } else { size.min(over) };
        out.reserve_exact(size.saturating_sub(out.len()));
        // What is reserved becomes memory only where it is written to, so room is asked for step by step.
        while out.len() < size {
            let step = (size - out.len()).min(DOUBLED_MAX);
            grow(step)?;
            let read = decoder.by_ref().take(step as u64).read_to_end(&mut out).map_err(InflateError::Corrupt)?;
            if out.len() > limit {
                return Err(InflateError::TooLarge { limit });
            }
            if read < step {
                // It may wait in a queue, where only its length counts.
                if out.capacity() - out.len() > out.len() / 8 {
                    out.shrink_to_fit();
                }
                return Ok(Bytes::from(out));
            }
        }
        size = size.saturating_mul(2);
    }
}

/// Compresses an answer if that is worth it.
pub fn gzip_answer(answer: &[u8]) -> Option<Bytes> {
    if answer.len() < COMPRESSED_ANSWER_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(answer.len() / 4), flate2::Compression::fast());
    // Writing to memory does not fail; if it did, the answer goes out as it is.
    encoder.write_all(answer).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn f04_all_members_of_a_gzip_are_read() {
        let body = Bytes::from([gzip(b"one, "), gzip(b"two, "), gzip(b""), gzip(b"three")].concat());
        assert_eq!(Coding::Gzip.inflate(body, 100).unwrap(), "one, two, three");
    }

    #[test]
    fn f04_garbage_after_a_gzip_is_corrupt() {
        let body = Bytes::from([gzip(b"one"), b"garbage".to_vec()].concat());
        assert!(matches!(Coding::Gzip.inflate(body, 100), Err(InflateError::Corrupt(_))));
    }

    #[test]
    fn all_frames_of_a_zstd_are_read() {
        let frame = |data: &[u8]| zstd::encode_all(data, 3).unwrap();
        let body = Bytes::from([frame(b"one, "), frame(b"two")].concat());
        assert_eq!(Coding::Zstd.inflate(body, 100).unwrap(), "one, two");
    }

    #[test]
    fn f05_every_cut_of_a_body_is_corrupt() {
        let text = b"The quick brown fox jumps over the lazy dog. ".repeat(5);
        let bodies = [(Coding::Gzip, gzip(&text)), (Coding::Zstd, zstd::encode_all(&text[..], 3).unwrap())];
        for (coding, body) in bodies {
            assert_eq!(coding.inflate(Bytes::from(body.clone()), 1000).unwrap(), text);
            for cut in 1..body.len() {
                let cut = Bytes::copy_from_slice(&body[..cut]);
                assert!(matches!(coding.inflate(cut, 1000), Err(InflateError::Corrupt(_))), "{coding:?}");
            }
        }
    }

    #[test]
    fn the_limit_is_exact() {
        let text = vec![b'x'; 5000];
        for (coding, body) in [(Coding::Gzip, gzip(&text)), (Coding::Zstd, zstd::encode_all(&text[..], 3).unwrap())] {
            let body = Bytes::from(body);
            assert_eq!(coding.inflate(body.clone(), 5000).unwrap(), text);
            assert!(matches!(coding.inflate(body, 4999), Err(InflateError::TooLarge { limit: 4999 })));
        }
        assert!(matches!(Coding::Identity.inflate(Bytes::from(text), 4999), Err(InflateError::TooLarge { .. })));
    }

    #[test]
    fn f02_a_huge_zstd_window_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(ZSTD_WINDOW_LOG_MAX + 1).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&vec![0; 32 << 20]).unwrap();
        let body = Bytes::from(encoder.finish().unwrap());
        assert!(matches!(Coding::Zstd.inflate(body, 64 << 20), Err(InflateError::Corrupt(_))));
    }
}
