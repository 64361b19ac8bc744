//! Reading the body of a peer's answer, which may be of any size and may never end well.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;

use super::outcome::Failure;

/// Bytes of an answer that are read (E2, F33).
pub const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// Reads the whole answer and its trailers. Over [`RESPONSE_BYTES_MAX`] is permanent: another attempt would only
/// get as much again. A body that breaks off leaves the outcome open, so the request is sent again (E34).
pub async fn read<B>(mut body: B) -> Result<(Bytes, HeaderMap), Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut bytes = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::unanswered(format!("the answer broke off: {error}")))?;
        match frame.into_data() {
            Ok(data) if bytes.len() + data.len() > RESPONSE_BYTES_MAX => return Err(too_large()),
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((bytes.freeze(), trailers))
}

/// The answer is over the limit.
pub fn too_large() -> Failure {
    Failure::permanent(format!("the answer is over {} MiB", RESPONSE_BYTES_MAX >> 20))
}
