//! OTLP/JSON: straight between JSON text and the encoded protobuf bytes that everything else works on.
//!
//! One table of the messages (`schema`) serves both ways. Reading pulls one piece of text after the other and
//! writes it as protobuf at once; writing looks up where each field of a message lies and prints it. No message
//! is ever built in memory, nesting is bounded both ways, and no input makes either panic. Both have a shorter way for
//! what is most frequent, which takes a thing of the usual form whole or leaves it to the table.
//!
//! Reading (OTLP specification, "JSON Protobuf Encoding"; protobuf.dev, "ProtoJSON Format"):
//! - ids are hexadecimal, upper or lower case; of how many bytes is for the walk to judge;
//! - an enum is a number; a name is an error;
//! - names are lowerCamelCase; any other is unknown, and ignored with its value;
//! - numbers may be strings, and integers may have a fraction or an exponent if they come out whole; a number
//!   that its type cannot hold is an error, never rounded to a limit;
//! - `null` is as if the name were not there; in a list it is an error, except that it is an empty value in a
//!   list of attribute values;
//! - a name that comes twice counts as a field that comes twice in protobuf: the last scalar counts, lists are
//!   joined, messages are merged; two different members of a `oneof` are an error.
//!
//! Writing: ids in lower case, enums and 32-bit integers as numbers, 64-bit integers as strings, doubles as the
//! shortest text that reads back the same. Defaults are left out, except where being there is a statement:
//! members of a `oneof`, `optional` fields, messages. Fields that are unknown here are left out too.

mod decode;
mod encode;
mod error;
mod frames;
mod message;
mod number;
mod parser;
mod plain;
mod response;
mod schema;
mod sheet;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use error::{JsonCause, JsonError};
pub use plain::encode_any_value;
pub use response::{Answer, decode_response, decode_status, encode_response, encode_status};

use super::Signal;
use super::wire::Malformed;

/// Attribute values that nest deeper are neither read nor written, whatever a limit says: the stack bounds it.
pub const DEPTH_MAX: usize = 128;

/// What a JSON request may not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Levels of lists and mappings inside one attribute value or log body, as the walk counts them. At most
    /// [`DEPTH_MAX`].
    pub max_depth: usize,
    /// How many bytes the encoded request may have.
    pub max_bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        JsonLimits { max_depth: 32, max_bytes: 64 << 20 }
    }
}

/// The encoded `Export…ServiceRequest` that a JSON text says.
pub fn decode(signal: Signal, json: &[u8], limits: &JsonLimits) -> Result<Vec<u8>, JsonError> {
    decode::document(schema::request(signal), json, limits)
}

/// Appends an encoded `Export…ServiceRequest` as one line of JSON, without the newline. On an error, what `out`
/// had before is all that it has.
pub fn encode(signal: Signal, request: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let before = out.len();
    encode::document(schema::request(signal), request, out).inspect_err(|_| out.truncate(before))
}
