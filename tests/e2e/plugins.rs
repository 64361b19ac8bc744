//! Plugins that misbehave in a process that goes on.

pub mod guests;
