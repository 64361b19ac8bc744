//! HTTP/2, frame by frame (RFC 9113): what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::harness::{PATIENCE, Sluicebox};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_HEADERS: u8 = 4;

pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The compressed headers (RFC 7541, nothing indexed) of a call of the trace service.
pub fn call_headers() -> Vec<u8> {
    let literal = |index: &[u8], value: &str| [index, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat();
    // `:method: POST` and `:scheme: http` are in the static table; so are the names of the others.
    let path = literal(&[4], sluicebox::data::Signal::Traces.grpc_path());
    let authority = literal(&[1], "localhost");
    let content_type = literal(&[15, 16], "application/grpc");
    [&[0x83, 0x86][..], &path, &authority, &content_type].concat()
}

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code in a RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The value of a setting, in SETTINGS.
    pub fn setting(&self, id: u16) -> Option<u32> {
        let mut pairs = self.payload.chunks_exact(6);
        let found = pairs.rfind(|pair| pair[..2] == id.to_be_bytes())?;
        Some(u32::from_be_bytes(found[2..].try_into().unwrap()))
    }
}

/// A connection that has sent the preface and its settings.
pub async fn connected(to: &Sluicebox) -> (FrameReader, OwnedWriteHalf) {
    let stream = TcpStream::connect(to.address("otlp", "grpc")).await.unwrap();
    let (read, mut write) = stream.into_split();
    write.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    write.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    (FrameReader(read), write)
}

/// Reads frames.
pub struct FrameReader(OwnedReadHalf);

impl FrameReader {
    /// The next frame; none when the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read()).await.expect("no frame came, and no end")
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap()) & (u32::MAX >> 1);
        Some(Frame { kind: head[3], stream, payload })
    }

    /// The next frame of a kind.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// All frames up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

/// Sends a flood until it is through or nobody takes it any more. Says whether it was cut off.
pub async fn flood(write: &mut OwnedWriteHalf, pieces: impl Iterator<Item = Vec<u8>>) -> bool {
    for piece in pieces {
        match timeout(PATIENCE.min(Duration::from_secs(20)), write.write_all(&piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return true,
        }
    }
    false
}
