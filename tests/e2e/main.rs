//! End to end: the real binary, real clients, real files, over loopback.

mod harness;
mod plugins;
mod reload;
