//! End to end: the real binary, real clients, real files, over loopback.

mod accounting;
mod client;
mod harness;
mod peer;
mod requests;
mod sdk;
mod topology;
