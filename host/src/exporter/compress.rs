//! Compression of request bodies, in steps that let the shard's other work run in between.

use std::io::{self, Write};

use bytes::Bytes;

use crate::config::spec::Compression;

/// Bytes that are compressed before other tasks get a turn: about a millisecond's work.
const STEP_BYTES: usize = 128 << 10;

/// zstd's level: nearly as small as the default 3 on telemetry, at clearly less CPU.
const ZSTD_LEVEL: i32 = 1;

/// A compressor that writes into memory.
enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Compression {
    /// Its name in `Content-Encoding` and `grpc-encoding`; none: the header is left out.
    pub const fn encoding(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

impl Encoder {
    fn new(compression: Compression, out: Vec<u8>) -> io::Result<Option<Self>> {
        Ok(match compression {
            Compression::None => None,
            Compression::Gzip => Some(Encoder::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::fast()))),
            Compression::Zstd => Some(Encoder::Zstd(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// Compresses `chunks` as one stream, with `head` bytes of room before it; none if nothing is to be compressed.
pub async fn compress(compression: Compression, head: usize, chunks: &[Bytes]) -> io::Result<Option<Vec<u8>>> {
    let Some(mut encoder) = Encoder::new(compression, vec![0; head])? else { return Ok(None) };
    let mut since_pause = 0;
    for step in chunks.iter().flat_map(|chunk| chunk.chunks(STEP_BYTES)) {
        encoder.write(step)?;
        since_pause += step.len();
        if since_pause >= STEP_BYTES {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    encoder.finish().map(Some)
}
