//! Pipeline files as they are typed. Never leaves `config`.
//!
//! The one source of the keys: serde reads these types, the JSON schema is derived from them, and a test holds
//! `docs/operators.md` against it. Every key has a default, so that a value that was refused leaves a component that
//! can be checked further; what must be given is checked in [`super::check`].

mod admission;
mod audit;
mod compression;
mod credential;
mod dead_letter;
mod delivery;
mod durable;
mod exporter;
mod memory;
mod quarantine;
mod receiver;
mod security;
mod service;
mod spread;
mod stage;
mod tls;

pub(super) use admission::*;
pub(super) use audit::*;
pub(super) use compression::*;
pub(super) use credential::*;
pub(super) use dead_letter::*;
pub(super) use delivery::*;
pub(super) use durable::*;
pub(super) use exporter::*;
pub(super) use memory::*;
pub(super) use quarantine::*;
pub(super) use receiver::*;
pub(super) use security::*;
pub(super) use service::*;
pub(super) use spread::*;
pub(super) use stage::*;
pub(super) use tls::*;
