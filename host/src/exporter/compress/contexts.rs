//! The compressors of one lane, kept from body to body: making one costs more than compressing a small request.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};
use tokio::time::Instant;
use zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, zstd_sys::ZSTD_EndDirective};

use crate::config::spec::{Codec, Compression};

/// Bytes that are compressed before other tasks get a turn: about a millisecond's work. In much smaller steps, a busy
/// shard takes in several requests for each of them, and falls behind with what it has taken.
const STEP_BYTES: usize = 1 << 20;
/// The same for levels that are several times slower.
const SLOW_STEP_BYTES: usize = 192 << 10;
/// Up to this size a body has room for the worst that may come out.
const WORST_BYTES: usize = 128 << 10;
/// The least room for what comes out that a compressor is called with.
const ROOM_MIN: usize = 8 << 10;
/// Base-2 logarithm of gzip's window.
const WINDOW_BITS: u8 = 15;

/// At most one compressor of each kind. One in use is taken out and comes back at the end of its body: one that broke
/// off in between is not kept (zlib-rs, reset in the middle of a body, makes of the next what nobody can read).
#[derive(Default)]
pub struct Contexts {
    gzip: Option<Gzip>,
    zstd: Option<CCtx<'static>>,
}

/// It begins anew at one level only.
struct Gzip {
    level: u8,
    context: Compress,
}

/// A body that was compressed, and what it took.
#[derive(Debug)]
pub struct Work {
    /// What came out.
    pub bytes: Vec<u8>,
    /// The time on the thread, without the pauses. Other threads that are given the core count, too: what asks the
    /// system for a thread's own time is no part of the standard library.
    pub took: Duration,
}

/// A compressor in the middle of a body.
enum Stream {
    Gzip(Gzip),
    Zstd(CCtx<'static>),
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Contexts { gzip, zstd } = self;
        f.debug_struct("Contexts").field("gzip", &gzip.is_some()).field("zstd", &zstd.is_some()).finish()
    }
}

impl Contexts {
    /// Compresses `chunks` as one stream, with `head` bytes of room before it; without compression, joins them.
    pub async fn compress(&mut self, codec: Codec, head: usize, chunks: &[Bytes]) -> io::Result<Work> {
        let begun = Instant::now();
        let total = chunks.iter().map(Bytes::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(head + capacity(total));
        bytes.resize(head, 0);
        let Some(mut stream) = self.begin(codec, total)? else {
            chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
            return Ok(Work { bytes, took: Duration::ZERO });
        };
        let step_bytes = if is_slow(codec) { SLOW_STEP_BYTES } else { STEP_BYTES };
        let (mut left, mut since_pause) = (total, 0);
        let (mut took, mut resumed) = (Duration::ZERO, begun);
        for step in chunks.iter().flat_map(|chunk| chunk.chunks(step_bytes)) {
            left -= step.len();
            stream.write(step, left == 0, &mut bytes)?;
            since_pause += step.len();
            if since_pause >= step_bytes && left > 0 {
                since_pause = 0;
                took += resumed.elapsed();
                tokio::task::yield_now().await;
                resumed = Instant::now();
            }
        }
        if total == 0 {
            stream.write(&[], true, &mut bytes)?;
        }
        self.keep(stream);
        Ok(Work { bytes, took: took + resumed.elapsed() })
    }

    /// A compressor that has nothing left of the body before.
    fn begin(&mut self, codec: Codec, total: usize) -> io::Result<Option<Stream>> {
        Ok(match codec.compression {
            Compression::None => None,
            Compression::Gzip => Some(Stream::Gzip(Gzip::begin(self.gzip.take(), codec.level))),
            Compression::Zstd => {
                let mut context = self.zstd.take().or_else(CCtx::try_create).ok_or(io::ErrorKind::OutOfMemory)?;
                context.reset(ResetDirective::SessionOnly).map_err(failed)?;
                context.set_parameter(CParameter::CompressionLevel(codec.level.into())).map_err(failed)?;
                // Knowing the size, it takes no more memory than that needs, and the peer is told.
                context.set_pledged_src_size(Some(total as u64)).map_err(failed)?;
                Some(Stream::Zstd(context))
            }
        })
    }

    /// Keeps a compressor whose body is done.
    fn keep(&mut self, stream: Stream) {
        match stream {
            Stream::Gzip(gzip) => self.gzip = Some(gzip),
            Stream::Zstd(context) => self.zstd = Some(context),
        }
    }
}

impl Gzip {
    fn begin(kept: Option<Gzip>, level: u8) -> Gzip {
        match kept.filter(|kept| kept.level == level) {
            Some(mut kept) => {
                kept.context.reset();
                kept
            }
            None => Gzip { level, context: Compress::new_gzip(flate2::Compression::new(level.into()), WINDOW_BITS) },
        }
    }
}

impl Stream {
    /// Compresses more of a body; all that is left of it, if this is the `last`.
    fn write(&mut self, input: &[u8], last: bool, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Stream::Gzip(gzip) => deflate(&mut gzip.context, input, last, out),
            Stream::Zstd(context) => pack(context, input, last, out),
        }
    }
}

/// Ends: each turn takes input or fills the room.
fn deflate(context: &mut Compress, mut input: &[u8], last: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let flush = if last { FlushCompress::Finish } else { FlushCompress::None };
    loop {
        out.reserve(ROOM_MIN);
        let before = context.total_in();
        let status = context.compress_vec(input, out, flush).map_err(io::Error::other)?;
        let taken = usize::try_from(context.total_in() - before).unwrap_or(usize::MAX);
        input = input.get(taken..).unwrap_or_default();
        match status {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError if !last && input.is_empty() => return Ok(()),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Ends: each turn takes input or fills the room.
fn pack(context: &mut CCtx<'static>, input: &[u8], last: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let directive = if last { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_continue };
    let mut input = InBuffer::around(input);
    loop {
        out.reserve(ROOM_MIN);
        let filled = out.len();
        let mut room = OutBuffer::around_pos(out, filled);
        let left = context.compress_stream2(&mut room, &mut input, directive).map_err(failed)?;
        let is_taken = input.pos() == input.src.len();
        if is_taken && (!last || left == 0) {
            return Ok(());
        }
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}

/// Room for what comes of `total` bytes. Small bodies have room for the worst, so that zstd does them in one go and
/// without a copy; of large ones, telemetry leaves a fifth or less.
fn capacity(total: usize) -> usize {
    match total {
        0..=WORST_BYTES => zstd_safe::compress_bound(total),
        _ => total / 4,
    }
}

fn is_slow(codec: Codec) -> bool {
    let fast = match codec.compression {
        Compression::None => u8::MAX,
        Compression::Gzip => 3,
        Compression::Zstd => 4,
    };
    codec.level > fast
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures_util::FutureExt;

    use super::*;

    const GZIP: [u8; 4] = [1, 6, 9, 1];
    const ZSTD: [u8; 5] = [1, 3, 9, 19, 1];

    fn codecs() -> impl Iterator<Item = Codec> {
        let gzip = GZIP.map(|level| Codec { compression: Compression::Gzip, level });
        let zstd = ZSTD.map(|level| Codec { compression: Compression::Zstd, level });
        [Codec::NONE].into_iter().chain(gzip).chain(zstd)
    }

    fn unpacked(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match codec.compression {
            Compression::None => plain = bytes.to_vec(),
            Compression::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
            Compression::Zstd => plain = zstd::decode_all(bytes).unwrap(),
        }
        plain
    }

    /// Bytes that compress somewhat, and differ by `seed`.
    fn body(seed: u64, len: usize) -> Bytes {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'a' + (state % 13) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[tokio::test]
    async fn one_context_serves_every_level_and_body_one_after_the_other() {
        let mut contexts = Contexts::default();
        for codec in codecs().chain(codecs()) {
            for chunks in [vec![0], vec![], vec![5], vec![300, 0, 7000], vec![400_000, 1, 200_000]] {
                let chunks: Vec<_> = chunks.iter().enumerate().map(|(at, len)| body(at as u64 + 1, *len)).collect();
                let work = contexts.compress(codec, 5, &chunks).await.unwrap();
                assert_eq!(work.bytes[..5], [0; 5]);
                assert_eq!(unpacked(codec, &work.bytes[5..]), chunks.concat(), "{codec:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_was_broken_off_leaves_nothing_behind() {
        let mut contexts = Contexts::default();
        let (large, small) = (body(1, 2 * STEP_BYTES), body(2, 1000));
        for codec in codecs().filter(|codec| codec.level > 0) {
            let chunks = [large.clone()];
            assert!(contexts.compress(codec, 0, &chunks).now_or_never().is_none(), "it pauses in between");
            let work = contexts.compress(codec, 0, std::slice::from_ref(&small)).await.unwrap();
            assert_eq!(unpacked(codec, &work.bytes), small);
        }
    }

    #[tokio::test]
    async fn what_does_not_compress_comes_through() {
        let noise: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let mut contexts = Contexts::default();
        for codec in codecs() {
            let work = contexts.compress(codec, 0, &[noise.clone().into()]).await.unwrap();
            assert_eq!(unpacked(codec, &work.bytes), noise);
        }
    }
}
