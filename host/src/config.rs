//! Pipeline files: as typed ([`raw`]), valid by construction ([`spec`]), and every problem in between.

pub mod spec;
