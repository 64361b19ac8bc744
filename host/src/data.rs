//! What flows: encoded OTLP requests, the columns that plugins see of them, and the edits they answer with.
//!
//! A request stays the bytes that it came as. One walk proves it well-formed and extracts the projection;
//! answers of plugins are kept beside it; one splice writes the result.

pub mod column;
pub mod intake;
pub mod json;
pub mod signal;
#[cfg(test)]
pub mod testing;
pub mod wire;

pub use signal::Signal;
