//! Compression of request bodies.
//!
//! ```text
//!  body ─► Packer: which codec? ─► Contexts of the lane: in steps that let the shard's other work run ─► Packed
//!             │                         ▲
//!             └─ adaptive: an excerpt ──┘ measured with one candidate after the other ─► Chooser
//! ```

pub mod adaptive;
pub mod chooser;
pub mod contexts;
pub mod figures;
pub mod meter;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::config::spec::{Codec, Compression};
use adaptive::Adaptive;
use contexts::Contexts;

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

/// How the requests of a destination are compressed. Cheap to clone; clones choose together.
#[derive(Clone, Debug)]
pub enum Choice {
    /// One way.
    Fixed(Codec),
    /// What measuring finds best.
    Adaptive(Arc<Adaptive>),
}

/// What compresses for one client.
#[derive(Debug)]
pub struct Packer {
    choice: Choice,
    /// A lock for a task and not a thread: all that prepare run on one thread, and the body whose turn it is gives
    /// others theirs in between. So a lane needs one context, and whatever came first is ready first.
    contexts: Mutex<Contexts>,
}

/// A body that is compressed.
#[derive(Debug)]
pub struct Packed {
    /// The bytes, after the room for a head.
    pub bytes: Vec<u8>,
    /// How they were made.
    pub codec: Codec,
}

impl Packer {
    /// One that has no context yet.
    pub fn new(choice: Choice) -> Self {
        Packer { choice, contexts: Mutex::default() }
    }

    /// Compresses `chunks` as one stream, with `head` bytes of room before it; none if nothing is to be compressed.
    pub async fn pack(&self, head: usize, chunks: &[Bytes]) -> io::Result<Option<Packed>> {
        let codec = match &self.choice {
            Choice::Fixed(codec) => *codec,
            Choice::Adaptive(adaptive) => {
                adaptive.sample(&self.contexts, chunks).await;
                adaptive.codec()
            }
        };
        if codec.compression == Compression::None {
            return Ok(None);
        }
        let work = self.contexts.lock().await.compress(codec, head, chunks).await?;
        Ok(Some(Packed { bytes: work.bytes, codec }))
    }

    /// Whether a body that the peer cannot read may be sent as it is instead.
    pub fn may_change(&self) -> bool {
        matches!(self.choice, Choice::Adaptive(_))
    }

    /// The peer took a body as it is that it did not take compressed like this.
    pub fn refused(&self, codec: Codec) {
        if let Choice::Adaptive(adaptive) = &self.choice {
            adaptive.refused(codec);
        }
    }
}
