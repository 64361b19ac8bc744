//! Lines in the host's log: [`trace!`](crate::trace), [`debug!`](crate::debug), [`info!`](crate::info),
//! [`warn!`](crate::warn), [`error!`](crate::error).
//!
//! The host bounds their length and their rate, and adds pipeline, stage and plugin. Always granted.
//! In native tests the lines go to standard error.

use std::fmt;
use std::sync::Once;

pub use crate::bindings::log::Level;

/// Whether a line of that level would be written.
pub fn enabled(level: Level) -> bool {
    #[cfg(target_family = "wasm")]
    return crate::bindings::log::enabled(level);
    #[cfg(not(target_family = "wasm"))]
    return matches!(level, Level::Error | Level::Warn | Level::Info | Level::Debug | Level::Trace);
}

/// Writes a line, if its level is enabled. The macros call this.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    #[cfg(target_family = "wasm")]
    match message.as_str() {
        Some(message) => crate::bindings::log::log(level, message),
        None => crate::bindings::log::log(level, &message.to_string()),
    }
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{level:?} {message}");
}

/// Has panics say in the log what they are and where, before the trap that they become.
pub(crate) fn report_panics() {
    static HOOK: Once = Once::new();
    if cfg!(target_family = "wasm") {
        HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| write(Level::Error, format_args!("{panic}")))));
    }
}

/// Writes a line of level trace to the host's log; takes what `format!` takes.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($message)+)) };
}

/// Writes a line of level debug to the host's log; takes what `format!` takes.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($message)+)) };
}

/// Writes a line of level info to the host's log; takes what `format!` takes.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($message)+)) };
}

/// Writes a line of level warn to the host's log; takes what `format!` takes.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Writes a line of level error to the host's log; takes what `format!` takes.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($message)+)) };
}
