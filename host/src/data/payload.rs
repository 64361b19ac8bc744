//! What leaves a pipeline: one encoded request, ready for any number of destinations.

use bytes::Bytes;

use super::Signal;

/// An encoded `Export…ServiceRequest`. Destinations share the same immutable bytes; a clone copies none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What it carries.
    pub signal: Signal,
    /// The encoded message.
    pub bytes: Bytes,
    /// How many records the message holds.
    pub records: u64,
}
