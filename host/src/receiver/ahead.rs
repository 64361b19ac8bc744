//! A stream that is read ahead: small requests come several to a system call.
//!
//! HTTP/2 below hyper reads into what is left of a buffer of 8 KiB, so that a client with many small requests cost more
//! than one `recv` for each. Here the bytes come into a buffer of the thread's, 32 KiB at once, and from there as hyper
//! asks for them. Who asks for much, the middle of a large frame, gets it from the socket as before, and so does who
//! asked for much the time before: large requests are not copied once more.
//!
//! A connection holds at most [`AHEAD`] bytes, and none while it is quiet.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once.
const AHEAD: usize = 32 << 10;

thread_local! {
    /// Where bytes are read into; empty until the thread reads ahead for the first time, and while it does.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads ahead from `S`; writes are its own.
pub(super) struct Ahead<S> {
    inner: S,
    /// Read, but not asked for yet.
    unread: Bytes,
    /// Whether the read before asked for little.
    asked_little: bool,
}

impl<S: AsyncRead + Unpin> Ahead<S> {
    pub fn new(inner: S) -> Ahead<S> {
        Ahead { inner, unread: Bytes::new(), asked_little: false }
    }

    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) {
        let part = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(part));
        if !self.unread.has_remaining() {
            // Its memory is not kept for a slice of nothing.
            self.unread = Bytes::new();
        }
    }

    fn read_through(&mut self, buffer: &mut [u8], cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ahead = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut ahead))?;
        let (asked, rest) = ahead.filled().split_at(ahead.filled().len().min(buf.remaining()));
        buf.put_slice(asked);
        self.unread = Bytes::copy_from_slice(rest);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.has_remaining() {
            self.hand_out(buf);
            return Poll::Ready(Ok(()));
        }
        let asks_little = buf.remaining() < AHEAD;
        let asked_little = std::mem::replace(&mut self.asked_little, asks_little);
        if !(asks_little && asked_little) {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let mut buffer = BUFFER.take();
        buffer.resize(AHEAD, 0);
        let read = self.read_through(&mut buffer, cx, buf);
        BUFFER.set(buffer);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ahead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Bytes that are there at once; counts the reads of them.
    struct Socket {
        bytes: Bytes,
        reads: usize,
    }

    impl AsyncRead for Socket {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let part = self.bytes.len().min(buf.remaining());
            buf.put_slice(&self.bytes.split_to(part));
            self.reads += 1;
            Poll::Ready(Ok(()))
        }
    }

    fn ahead(bytes: usize) -> (Ahead<Socket>, Bytes) {
        let bytes: Bytes = (0..bytes).map(|n| (n % 251) as u8).collect();
        (Ahead::new(Socket { bytes: bytes.clone(), reads: 0 }), bytes)
    }

    /// Reads with buffers of these sizes, round and round, to the end.
    async fn read(ahead: &mut Ahead<Socket>, sizes: &[usize]) -> Vec<u8> {
        let mut all = Vec::new();
        for size in sizes.iter().cycle() {
            let mut buf = vec![0; *size];
            match ahead.read(&mut buf).await.unwrap() {
                0 => break,
                read => all.extend_from_slice(&buf[..read]),
            }
        }
        all
    }

    #[tokio::test]
    async fn many_small_reads_are_few_of_the_socket() {
        let (mut ahead, bytes) = ahead(3 * AHEAD);
        assert_eq!(read(&mut ahead, &[1000]).await, bytes);
        assert!(ahead.inner.reads <= 6, "{}", ahead.inner.reads);
        assert!(ahead.unread.is_empty());
    }

    #[tokio::test]
    async fn large_frames_are_read_as_they_are_asked_for() {
        let (mut ahead, bytes) = ahead(10 * (AHEAD + 1000));
        assert_eq!(read(&mut ahead, &[1000, AHEAD]).await, bytes);
        assert_eq!(ahead.inner.reads, 21, "twenty, and the end");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_nothing_is_lost_or_turned_round(
            len in 0..200_000usize,
            sizes in proptest::collection::vec(1..60_000usize, 1..6),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (mut ahead, bytes) = ahead(len);
            prop_assert_eq!(runtime.block_on(read(&mut ahead, &sizes)), bytes);
        }
    }
}
