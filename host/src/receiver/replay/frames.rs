//! OTLP protobuf files: one encoded request, or many with their lengths before them.
//!
//! Which of the three it is shows in the first bytes. A request begins with the tag of its field 1 (0x0a) and consists
//! of nothing else; the collector's file exporter puts four bytes before each message, the first of which is 0 below
//! 16 MiB; what is neither has varint lengths, as protobuf's own delimited streams have.

use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;

use super::{Item, Sink};
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Refusal;
use crate::data::wire::{Payload, Reader};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// The file is one.
    Whole,
    /// A varint before each.
    Varint,
    /// Four bytes before each, the most significant first.
    Fixed32,
}

/// Gives every request of the file to the sink. One that is larger than a request may be is left out.
pub(super) fn read(
    path: &Path,
    signal: Signal,
    mut file: Box<dyn BufRead>,
    limits: &RequestLimits,
    sink: &mut Sink<'_>,
) -> io::Result<ControlFlow<()>> {
    let limit = limits.max_request_bytes;
    let mut head = Vec::new();
    file.by_ref().take(limit as u64 + 1).read_to_end(&mut head)?;
    let framing = Framing::of(&head, limit);
    if framing == Framing::Whole {
        return Ok(sink(Item { place: path.display().to_string(), content: Ok((signal, head.into())) }));
    }
    let mut rest = head.chain(file);
    let mut number = 0u64;
    while let Some(length) = framing.length(&mut rest)? {
        number += 1;
        let message = message(&mut rest, length, limit)?;
        let place = format!("{}, message {number}", path.display());
        let item = Item { place, content: message.map(|bytes| (signal, bytes)) };
        if sink(item).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads a message of that length, or past it.
fn message(file: &mut impl BufRead, length: u64, limit: usize) -> io::Result<Result<Bytes, Refusal>> {
    let mut content = file.take(length);
    if length > limit as u64 {
        let skipped = io::copy(&mut content, &mut io::sink())?;
        return whole(skipped, length)
            .map(|()| Err(Refusal::TooLarge(format!("the request of {length} bytes is larger than {limit} bytes"))));
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    whole(bytes.len() as u64, length)?;
    Ok(Ok(bytes.into()))
}

fn whole(read: u64, length: u64) -> io::Result<()> {
    if read == length {
        return Ok(());
    }
    let message = format!("it ends after {read} bytes of a message of {length}");
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

impl Framing {
    /// Tells it from all of the file, or if that is larger than `limit`, from its beginning.
    fn of(head: &[u8], limit: usize) -> Framing {
        if head.len() <= limit && is_request(head) {
            Framing::Whole
        } else if head.first() == Some(&0) {
            Framing::Fixed32
        } else {
            Framing::Varint
        }
    }

    /// The length of the next message; none at the end of the file.
    fn length(self, file: &mut impl BufRead) -> io::Result<Option<u64>> {
        if file.fill_buf()?.is_empty() {
            return Ok(None);
        }
        match self {
            Framing::Whole => Ok(None),
            Framing::Fixed32 => {
                let mut length = [0; 4];
                file.read_exact(&mut length)?;
                Ok(Some(u64::from(u32::from_be_bytes(length))))
            }
            Framing::Varint => varint(file).map(Some),
        }
    }
}

/// Whether the bytes are fields of number 1 with content, and nothing else.
fn is_request(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    loop {
        match reader.field() {
            Ok(None) => return true,
            Ok(Some(field)) if field.number == 1 && matches!(field.payload, Payload::Bytes { .. }) => {}
            _ => return false,
        }
    }
}

fn varint(file: &mut impl BufRead) -> io::Result<u64> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        let [byte] = byte;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it is neither one encoded request nor a series of them"))
}
