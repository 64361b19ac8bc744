//! The body of a request as a list of shared chunks: sent without being joined, and again without being made again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::config::spec::Codec;

/// Chunks from this size on go out as they are. Below, HTTP/2's cost of a frame is more than that of a copy.
const WHOLE_MIN: usize = 16 << 10;
/// Smaller chunks are joined into ones of about this size.
const JOINED_MAX: usize = 64 << 10;

/// An immutable body. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Frames {
    chunks: Arc<[Bytes]>,
    len: usize,
    packed: Option<Arc<PackedFrom>>,
}

/// How a compressed body was made, and of what, if that is kept.
#[derive(Debug)]
struct PackedFrom {
    codec: Codec,
    plain: Option<Vec<Bytes>>,
}

impl Frames {
    /// A body of these chunks, in this order.
    pub fn new(chunks: Vec<Bytes>) -> Self {
        let len = chunks.iter().map(Bytes::len).sum();
        Frames { chunks: chunks.into(), len, packed: None }
    }

    /// A body that was compressed, and what it was before, if it may be sent like that instead.
    pub fn packed(body: Bytes, codec: Codec, plain: Option<&[Bytes]>) -> Self {
        let packed = Some(Arc::new(PackedFrom { codec, plain: plain.map(<[Bytes]>::to_vec) }));
        Frames { packed, ..Frames::new(vec![body]) }
    }

    /// How it is compressed; none: it is not.
    pub fn codec(&self) -> Option<Codec> {
        self.packed.as_ref().map(|packed| packed.codec)
    }

    /// What may be sent instead, and what that would be instead of.
    pub fn instead(&self) -> Option<(Codec, &[Bytes])> {
        let packed = self.packed.as_ref()?;
        Some((packed.codec, packed.plain.as_deref()?))
    }

    /// A body of `head` and these chunks, small neighbours joined.
    pub fn joined(head: &[u8], chunks: &[Bytes]) -> Self {
        let is_small = |chunk: &&Bytes| chunk.len() < WHOLE_MIN;
        let mut small_left = head.len() + chunks.iter().filter(is_small).map(Bytes::len).sum::<usize>();
        let mut out = Vec::new();
        let mut small = Vec::with_capacity(small_left.min(JOINED_MAX + WHOLE_MIN));
        small.extend_from_slice(head);
        for chunk in chunks {
            let whole = chunk.len() >= WHOLE_MIN;
            if !whole {
                small.extend_from_slice(chunk);
            }
            if !small.is_empty() && (whole || small.len() >= JOINED_MAX) {
                small_left -= small.len();
                let room = Vec::with_capacity(small_left.min(JOINED_MAX + WHOLE_MIN));
                out.push(std::mem::replace(&mut small, room).into());
            }
            if whole {
                out.push(chunk.clone());
            }
        }
        if !small.is_empty() {
            out.push(small.into());
        }
        Frames::new(out)
    }

    /// Its chunks.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A reader of it, for one request.
    pub fn body(&self) -> FramesBody {
        FramesBody { frames: self.clone(), next: 0, left: self.len }
    }
}

/// One reading of a [`Frames`].
#[derive(Debug)]
pub struct FramesBody {
    frames: Frames,
    next: usize,
    left: usize,
}

impl Body for FramesBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.frames.chunks.get(self.next).cloned();
        self.next += 1;
        self.left -= chunk.as_ref().map_or(0, Bytes::len);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.frames.chunks.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn large_chunks_are_not_copied() {
        let large = Bytes::from(vec![1u8; WHOLE_MIN]);
        let small = Bytes::from(vec![2u8; 10]);
        let frames = Frames::joined(&[0; 5], &[small.clone(), small.clone(), large.clone(), small.clone()]);
        let sizes: Vec<_> = frames.chunks().iter().map(Bytes::len).collect();
        assert_eq!(sizes, [25, WHOLE_MIN, 10]);
        assert_eq!(frames.chunks()[1].as_ptr(), large.as_ptr());
        assert_eq!(frames.len(), 35 + WHOLE_MIN);
    }

    #[test]
    fn small_chunks_are_joined_up_to_a_size() {
        let chunks = vec![Bytes::from(vec![7u8; 1000]); 200];
        let frames = Frames::joined(&[], &chunks);
        assert_eq!(frames.len(), 200_000);
        assert!(
            frames.chunks().len() <= 4 && frames.chunks().iter().all(|chunk| chunk.len() <= JOINED_MAX + WHOLE_MIN)
        );
    }

    #[tokio::test]
    async fn a_body_can_be_read_again() {
        let frames = Frames::joined(b"head", &[Bytes::from_static(b" and tail")]);
        for _ in 0..2 {
            assert_eq!(frames.body().size_hint().exact(), Some(13));
            assert_eq!(frames.body().collect().await.unwrap().to_bytes(), "head and tail");
        }
    }
}
