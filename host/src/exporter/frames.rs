//! The body of a request as a list of shared chunks: sent without being joined, and again without being made again.
//!
//! What is small is joined while it is sent, a piece at a time as the peer takes it: a batch of several megabytes that
//! is joined before its first byte goes out keeps a shard from all else for a millisecond, and leaves the cache before it
//! is sent. For the same reason a body pauses now and then: clients of the shard are read from and answered in between.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};

use crate::config::spec::Codec;

/// Chunks from this size on go out as they are. Below, HTTP/2's cost of a frame is more than that of a copy.
const WHOLE_MIN: usize = 16 << 10;
/// Smaller chunks are joined into pieces of about this size.
const JOINED_MAX: usize = 64 << 10;

/// Bytes after which a body pauses: some tenths of a millisecond to send.
const STEP_BYTES: usize = 512 << 10;

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
    pub fn new(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        let chunks: Arc<[Bytes]> = chunks.into_iter().collect();
        let len = chunks.iter().map(Bytes::len).sum();
        Frames { chunks, len, packed: None }
    }

    /// A body that was compressed, and what it was before, if it may be sent like that instead.
    pub fn packed(body: Bytes, codec: Codec, plain: Option<&[Bytes]>) -> Self {
        let packed = Some(Arc::new(PackedFrom { codec, plain: plain.map(<[Bytes]>::to_vec) }));
        Frames { packed, ..Frames::new([body]) }
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

    /// A body of `head` and these chunks.
    pub fn headed(head: &[u8], chunks: &[Bytes]) -> Self {
        Frames::new(std::iter::once(Bytes::copy_from_slice(head)).chain(chunks.iter().cloned()))
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
        FramesBody { frames: self.clone(), next: 0, left: self.len, since_pause: 0, pause: None }
    }
}

/// One reading of a [`Frames`].
pub struct FramesBody {
    frames: Frames,
    next: usize,
    left: usize,
    since_pause: usize,
    pause: Option<BoxFuture<'static, ()>>,
}

impl FramesBody {
    /// The next chunk, if it is large, or small ones in a row as one.
    fn piece(&mut self) -> Option<Bytes> {
        let rest = self.frames.chunks.get(self.next..)?;
        let mut size = 0;
        let small = rest.iter().take_while(|chunk| {
            let joins = size < JOINED_MAX && chunk.len() < WHOLE_MIN;
            size += chunk.len();
            joins
        });
        let run = rest.get(..small.count())?;
        let piece = match run {
            [] => rest.first()?.clone(),
            [one] => one.clone(),
            several => {
                let mut joined = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                several.iter().for_each(|chunk| joined.extend_from_slice(chunk));
                joined.freeze()
            }
        };
        self.next += run.len().max(1);
        self.left -= piece.len();
        Some(piece)
    }
}

impl Body for FramesBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_unpin(cx));
            self.pause = None;
        }
        let piece = self.piece();
        self.since_pause += piece.as_ref().map_or(0, Bytes::len);
        if self.since_pause >= STEP_BYTES && !self.is_end_stream() {
            self.since_pause = 0;
            self.pause = Some(Box::pin(tokio::task::yield_now()));
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
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

    fn pieces(frames: &Frames) -> Vec<Bytes> {
        let mut body = frames.body();
        let pieces: Vec<_> = std::iter::from_fn(|| body.piece()).collect();
        assert_eq!((body.left, pieces.iter().map(Bytes::len).sum()), (0, frames.len()));
        assert_eq!(pieces.concat(), frames.chunks().concat());
        pieces
    }

    #[test]
    fn large_chunks_are_not_copied() {
        let large = Bytes::from(vec![1u8; WHOLE_MIN]);
        let small = Bytes::from(vec![2u8; 10]);
        let frames = Frames::headed(&[0; 5], &[small.clone(), small.clone(), large.clone(), small.clone()]);
        let pieces = pieces(&frames);
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [25, WHOLE_MIN, 10]);
        assert_eq!((pieces[1].as_ptr(), pieces[2].as_ptr()), (large.as_ptr(), small.as_ptr()));
    }

    #[test]
    fn small_chunks_are_joined_up_to_a_size() {
        let chunks = vec![Bytes::from(vec![7u8; 1000]); 200];
        let pieces = pieces(&Frames::new(chunks));
        assert!(pieces.len() <= 4 && pieces.iter().all(|piece| piece.len() <= JOINED_MAX + WHOLE_MIN));
    }

    #[test]
    fn a_body_without_chunks_has_ended() {
        let frames = Frames::new([]);
        assert!(frames.is_empty() && frames.body().is_end_stream() && pieces(&frames).is_empty());
    }

    #[tokio::test]
    async fn a_long_body_lets_others_work() {
        let turns = std::rc::Rc::new(std::cell::Cell::new(0));
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let body = Frames::new(vec![Bytes::from(vec![7; STEP_BYTES / 4]); 20]).body();
        tokio::select! {
            biased;
            read = body.collect() => assert_eq!(read.unwrap().to_bytes().len(), 5 * STEP_BYTES),
            () = others => {}
        }
        assert_eq!(turns.get(), 4, "one for each step before the last");
    }

    #[tokio::test]
    async fn a_body_can_be_read_again() {
        let frames = Frames::headed(b"head", &[Bytes::from_static(b" and tail")]);
        for _ in 0..2 {
            assert_eq!(frames.body().size_hint().exact(), Some(13));
            assert_eq!(frames.body().collect().await.unwrap().to_bytes(), "head and tail");
        }
    }
}
