//! Sluicebox: a programmable OTLP pipeline.
//!
//! ```text
//!  receiver ─► intake: walk + project ─► plugin chain ─► splice ─► destination: queue ─► batch ─► exporter
//!      ▲                                                               │
//!      └───────── receipt: when every destination has taken charge ◄───┘
//! ```

pub mod admin;
pub mod audit;
pub mod bench;
pub mod chain;
pub mod cli;
pub mod config;
pub mod data;
pub mod dead_letter;
pub mod destination;
pub mod exporter;
pub mod gate;
pub mod memory;
pub mod plugin;
pub mod queue;
pub mod receiver;
pub mod report;
pub mod scaffold;
pub mod shard;
pub mod supervise;
pub mod telemetry;
pub mod topology;
pub mod watch;
