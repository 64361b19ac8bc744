//! What Sluicebox says about itself.

pub mod logging;
pub mod metrics;
