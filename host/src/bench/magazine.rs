//! Requests that are encoded, framed and compressed before the first is sent.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes};

use super::requests::Recipe;
use crate::config::spec::{Compression, Encoding};
use crate::data::{Signal, json};

/// Memory for encoded requests, before compression.
const ENCODED_BYTES_MAX: usize = 32 << 20;

/// Requests of one signal that differ. More would only take longer to make.
const VARIANTS_MAX: usize = 64;

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Http(Encoding),
}

/// One request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Shot {
    /// What it carries.
    pub signal: Signal,
    /// The body, as it travels.
    pub body: Bytes,
    /// Its records.
    pub records: u64,
    /// Its size in bytes before framing and compression.
    pub plain_bytes: u64,
}

/// All requests, dealt out in turn.
#[derive(Debug)]
pub struct Magazine {
    shots: Vec<Shot>,
    next: AtomicUsize,
}

/// A request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MagazineError {
    /// The compressor failed.
    #[error("a request could not be compressed")]
    Compress(#[source] io::Error),
    /// The encoder failed.
    #[error("a request could not be written as JSON")]
    Json(#[source] crate::data::wire::Malformed),
}

impl Magazine {
    /// Makes requests of each recipe; those of different recipes take turns.
    pub fn fill(recipes: &[Recipe], transport: Transport, compression: Compression) -> Result<Magazine, MagazineError> {
        let mut shots = Vec::new();
        let mut bytes = 0;
        for number in 0..VARIANTS_MAX {
            for recipe in recipes {
                let shot = shot(recipe, number, transport, compression)?;
                bytes += shot.plain_bytes as usize;
                shots.push(shot);
            }
            if bytes.saturating_mul(number + 2) / (number + 1) > ENCODED_BYTES_MAX {
                break;
            }
        }
        Ok(Magazine { shots, next: AtomicUsize::new(0) })
    }

    /// The next request; after the last, the first again. None only without a recipe.
    pub fn next(&self) -> Option<&Shot> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.shots.get(next.checked_rem(self.shots.len())?)
    }
}

fn shot(recipe: &Recipe, number: usize, transport: Transport, compression: Compression) -> Result<Shot, MagazineError> {
    let mut plain = recipe.encode(number);
    if transport == Transport::Http(Encoding::Json) {
        let mut text = Vec::new();
        json::encode(recipe.signal, &plain, &mut text).map_err(MagazineError::Json)?;
        plain = text.into();
    }
    let packed = compressed(&plain, compression).map_err(MagazineError::Compress)?;
    let flag = u8::from(packed.is_some());
    let body = packed.map_or_else(|| plain.clone(), Bytes::from);
    let body = if transport == Transport::Grpc { framed(flag, &body) } else { body };
    Ok(Shot { signal: recipe.signal, body, records: recipe.records as u64, plain_bytes: plain.len() as u64 })
}

fn compressed(plain: &[u8], compression: Compression) -> io::Result<Option<Vec<u8>>> {
    Ok(match compression {
        Compression::None => None,
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain)?;
            Some(encoder.finish()?)
        }
        Compression::Zstd => Some(zstd::bulk::compress(plain, zstd::DEFAULT_COMPRESSION_LEVEL)?),
    })
}

/// A message of gRPC: flag, length, content.
fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = Vec::with_capacity(message.len() + 5);
    framed.put_u8(flag);
    // Requests are far below 4 GiB: the command line bounds records and their size.
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.into()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;
    use crate::receiver::inflate::Coding;

    #[test]
    fn what_is_sent_is_what_was_encoded() {
        let recipe = Recipe::traces(10);
        let plain = recipe.encode(0);
        for (compression, coding) in [(Compression::Gzip, Coding::Gzip), (Compression::Zstd, Coding::Zstd)] {
            let magazine = Magazine::fill(&[recipe], Transport::Grpc, compression).unwrap();
            let body = magazine.next().unwrap().body.clone();
            assert_eq!((body[0], u32::from_be_bytes([body[1], body[2], body[3], body[4]])), (1, body.len() as u32 - 5));
            assert_eq!(coding.inflate(body.slice(5..), 1 << 20).unwrap(), plain);
        }
        let json = Magazine::fill(&[recipe], Transport::Http(Encoding::Json), Compression::None).unwrap();
        let body = json.next().unwrap().body.clone();
        let sent = json::decode(Signal::Traces, &body, &json::JsonLimits::default()).unwrap();
        // The order of fields may differ.
        let message = |bytes: &[u8]| ExportTraceServiceRequest::decode(bytes).unwrap();
        assert!(message(&sent) == message(&plain));
    }

    #[test]
    fn recipes_take_turns_within_the_memory_that_is_given() {
        let logs = Recipe { signal: Signal::Logs, records: 3, record_bytes: None, probes: 0.0 };
        let magazine = Magazine::fill(&[Recipe::traces(2), logs], Transport::Grpc, Compression::None).unwrap();
        let signals: Vec<_> = (0..4).map(|_| magazine.next().unwrap().signal).collect();
        assert_eq!(signals, [Signal::Traces, Signal::Logs, Signal::Traces, Signal::Logs]);
        assert_eq!(magazine.shots.len(), 2 * VARIANTS_MAX);
        let large = Recipe { record_bytes: Some(1 << 20), ..Recipe::traces(10) };
        let magazine = Magazine::fill(&[large], Transport::Grpc, Compression::None).unwrap();
        assert!((2..=3).contains(&magazine.shots.len()), "{}", magazine.shots.len());
    }
}
