pub mod build;
pub mod standard;
pub mod toolchain;
