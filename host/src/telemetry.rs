//! What Sluicebox says about itself.

pub mod metrics;
