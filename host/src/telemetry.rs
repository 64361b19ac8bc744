//! What Sluicebox says about itself.

pub mod lines;
pub mod logging;
pub mod metrics;
