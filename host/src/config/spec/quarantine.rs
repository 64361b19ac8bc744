//! Quarantine: where a stage puts records that its plugin cannot take.

use std::path::PathBuf;

/// The dead-letter file of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineSpec {
    /// The file; absolute. Stages and exporters may share one.
    pub path: PathBuf,
    /// Bytes of one file. Default 64 MiB.
    pub max_bytes: u64,
    /// Rotated files that are kept; older ones are deleted. Default 8.
    pub max_backups: usize,
}
