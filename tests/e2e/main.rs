//! End to end: the real binary, real clients, real files, over loopback.

mod accounting;
mod client;
mod clients;
mod containment;
mod delivery;
mod fault_proxy;
mod harness;
mod kill;
mod overload;
mod peer;
mod plugins;
mod protocol;
mod reload;
mod requests;
mod sdk;
mod security;
mod sending;
mod start;
mod topology;
