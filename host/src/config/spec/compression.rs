//! How requests are compressed: one way, or the one that measuring finds best.

use std::time::Duration;

use super::Compression;

/// An encoding and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    /// The encoding.
    pub compression: Compression,
    /// Its level: gzip 1–9, zstd 1–19; 0 for none.
    pub level: u8,
}

/// Compression of an exporter's requests.
#[derive(Clone, Debug, PartialEq)]
pub enum CompressionSpec {
    /// One way.
    Fixed(Codec),
    /// Whatever serves an aim best on the data that there is.
    Adaptive(Aim),
}

/// What the choice of a compression is to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Bytes on the network.
    Network {
        /// CPU time that compressing a MiB may take.
        max_cpu: Duration,
    },
    /// CPU time.
    Cpu {
        /// CPU time that sending a MiB takes.
        sending: Duration,
    },
}

impl Codec {
    /// Nothing is compressed.
    pub const NONE: Codec = Codec { compression: Compression::None, level: 0 };
}

impl From<Compression> for Codec {
    /// At the level that costs least: on telemetry it is nearly as small as the encodings' own defaults.
    fn from(compression: Compression) -> Self {
        Codec { compression, level: u8::from(compression != Compression::None) }
    }
}

impl From<Compression> for CompressionSpec {
    fn from(compression: Compression) -> Self {
        CompressionSpec::Fixed(compression.into())
    }
}
