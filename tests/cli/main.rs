//! The command line, through the real binary: exit codes, texts, and the way of a plugin from `new` to `inspect`.

mod arguments;
mod bench;
mod goldens;
mod plugins;
mod queue;
mod sluicebox;
#[cfg(unix)]
mod toolchain;
