//! Sluicebox: a programmable OTLP pipeline.
//!
//! ```text
//!  receiver ─► gate ─► memory ─► intake: walk + project ─► plugin chain ─► splice ─► destination: queue ─► batch ─► exporter
//!      ▲                                                         │                        │                         │
//!      │                                                       audit                 dead letters ◄─────────────────┤
//!      └───────── receipt: when every destination has taken charge ◄──────────────────────┘          circuit, retry ┘
//! ```
//!
//! The way of a batch by files: `receiver` (after `gate` let it in and `memory` had room) → `topology::entry` → `chain`
//! over `data` → `destination`, whose `queue` is memory or the log on disk → `exporter`. Around it: `config` says what
//! runs, `topology` builds and exchanges it, `watch` sees that it changed, `shard` and `supervise` keep it running,
//! `admin` and `telemetry` tell about it.
//!
//! What holds everywhere:
//! - A client hears success only when every destination of every pipeline has taken charge.
//! - received = delivered + queued + rejected + dropped{component, reason}, at every moment.
//! - Bytes stay bytes: nothing is decoded on the way, and what nobody edits goes on as it came.
//! - Nothing shared is written for a record; what comes from outside is bounded, and no panic can be reached by it.

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
