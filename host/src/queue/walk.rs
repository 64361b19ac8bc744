//! Going through the frames of a segment, past damage.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::files::OpenFile;
use super::frame::{HEAD_BYTES, Head, MARK};

/// How much is read at once. Payloads are slices of it: what is in memory beside them is less than one read.
const READ_BYTES: usize = 256 << 10;

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A sound frame.
    Frame {
        /// Where it begins.
        at: u64,
        /// Its head.
        head: Head,
        /// What is in it.
        payload: Bytes,
    },
    /// Bytes that are no sound frame, up to the next sound head or to the end.
    Damaged {
        /// Where they begin.
        at: u64,
        /// One past the last of them.
        end: u64,
        /// The head, if just the payload is damaged or cut short.
        head: Option<Head>,
    },
}

/// A walk through the frames of one file.
#[derive(Debug)]
pub struct Walk {
    file: Arc<dyn OpenFile>,
    salt: u32,
    at: u64,
    end: u64,
    chunk: Bytes,
    chunk_at: u64,
}

impl Walk {
    /// From the frame that begins at `at` to `end`.
    pub fn new(file: Arc<dyn OpenFile>, salt: u32, at: u64, end: u64) -> Self {
        Walk { file, salt, at, end, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// Where the next frame begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The file has grown.
    pub fn extend(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Takes the next step; none at the end. After an error the same step can be taken again.
    pub fn step(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let at = self.at;
        let found = match self.head_at(at)? {
            None => Found::Damaged { at, end: self.next_head(at + 1)?, head: None },
            Some(head) => self.judge(at, head)?,
        };
        self.at = match &found {
            Found::Frame { head, .. } => at + head.frame_bytes(),
            Found::Damaged { end, .. } => *end,
        };
        Ok(Some(found))
    }

    fn judge(&mut self, at: u64, head: Head) -> io::Result<Found> {
        let end = at + head.frame_bytes();
        let cut = Found::Damaged { at, end: self.end, head: Some(head) };
        if end > self.end {
            return Ok(cut);
        }
        let Some(payload) = self.bytes(at + HEAD_BYTES as u64, head.length as usize)? else { return Ok(cut) };
        if head.fits(&payload, self.salt) {
            return Ok(Found::Frame { at, head, payload });
        }
        Ok(Found::Damaged { at, end, head: Some(head) })
    }

    fn head_at(&mut self, at: u64) -> io::Result<Option<Head>> {
        let salt = self.salt;
        Ok(self.bytes(at, HEAD_BYTES)?.and_then(|bytes| Head::decode(&bytes, salt)))
    }

    /// The place of the first sound head from `from` on, or the end.
    fn next_head(&mut self, mut from: u64) -> io::Result<u64> {
        while from + HEAD_BYTES as u64 <= self.end {
            let len = READ_BYTES.min(usize::try_from(self.end - from).unwrap_or(usize::MAX));
            let Some(bytes) = self.bytes(from, len)? else { break };
            match memmem::find(&bytes, &MARK) {
                Some(offset) => {
                    let place = from + offset as u64;
                    if self.head_at(place)?.is_some() {
                        return Ok(place);
                    }
                    from = place + 1;
                }
                // A mark may begin in the last bytes.
                None => from += (len - (MARK.len() - 1)) as u64,
            }
        }
        Ok(self.end)
    }

    /// `len` bytes at a place; none if the file or the part that counts is shorter.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<Option<Bytes>> {
        if at.checked_add(len as u64).is_none_or(|end| end > self.end) {
            return Ok(None);
        }
        if let Some(slice) = self.cached(at, len) {
            return Ok(Some(slice));
        }
        let want = u64::max(len as u64, READ_BYTES as u64).min(self.end - at);
        let mut chunk = vec![0; usize::try_from(want).unwrap_or(usize::MAX)];
        let read = self.file.read_at(&mut chunk, at)?;
        chunk.truncate(read);
        self.chunk = chunk.into();
        self.chunk_at = at;
        Ok(self.cached(at, len))
    }

    fn cached(&self, at: u64, len: usize) -> Option<Bytes> {
        let start = usize::try_from(at.checked_sub(self.chunk_at)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.chunk.len()).then(|| self.chunk.slice(start..end))
    }
}
