//! End to end: the real binary, real clients, real files, over loopback.

mod accounting;
mod client;
mod harness;
mod peer;
mod protocol;
mod requests;
mod sdk;
mod start;
mod topology;
