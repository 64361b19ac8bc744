//! Receivers: they speak with clients, and hand encoded requests to an [`Intake`](crate::data::intake::Intake).
//!
//! ```text
//!  Listener (a bound address, survives reloads)
//!     └─ Server: one accept loop ──deals──► connections on the shards
//!           │    TLS, if the listener's gate has it (`crate::gate`)
//!           └─ each request: gate ─► head ─► admission ─► body::read ─► inflate ─► (JSON to protobuf) ─► Intake
//!                                                                               └─► Receipt or Refusal
//! ```
//!
//! What is served on a listener, its [`Wiring`], is loaded anew for every request, so that a reload
//! exchanges it without closing a connection. A request that is under way keeps the wiring that it began with.
//!
//! Invariants: where a gate asks for a credential, nothing of a body is read before one was shown; a request is never larger in memory than its limit, before and after decompression; a success is
//! answered only after a receipt, and never after the client's deadline; every answer's status says truly whether to
//! come again; every buffer of telemetry has a lease of the account of memory before it grows, see [`admission`].

pub mod admission;
mod ahead;
pub mod answer;
pub mod body;
mod connection;
mod counted;
mod gated;
mod grpc;
mod http;
pub mod inflate;
mod json;
pub mod listener;
pub mod meter;
mod rate;
pub mod records;
pub mod replay;
pub mod server;
mod slots;
pub mod wiring;

#[cfg(test)]
mod tests;

pub use listener::{BindError, Listener};
pub use replay::{Progress, Replay, ReplayError};
pub use server::{Drained, Server};
pub use wiring::Wiring;
