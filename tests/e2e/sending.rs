//! Sending: what the exporters do when backends and the network between fail.

mod network;
