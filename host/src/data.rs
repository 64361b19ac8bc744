//! What flows: encoded OTLP requests, the columns that plugins see of them, and the edits they answer with.
//!
//! A request stays the bytes that it came as. One walk proves it well-formed and extracts the projection;
//! answers of plugins are kept beside it; one splice writes the result.

pub mod batch;
pub mod bitmap;
pub mod column;
pub mod field;
pub mod intake;
pub mod json;
pub mod overlay;
pub mod payload;
pub mod projection;
pub mod signal;
pub mod splice;
pub mod split;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod walk;
pub mod wire;

pub use payload::Payload;
pub use signal::Signal;
