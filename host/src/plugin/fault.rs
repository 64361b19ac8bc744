//! What a plugin can do wrong in a call, told from wasmtime's error and from what the host saw of the instance.

use std::time::Duration;

use wasmtime::{Trap, WasmBacktrace};

use super::imports::Host;
use super::stage::StartFault;

/// Frames of a trap that are shown: the innermost say where, the rest is how the SDK got there.
const FRAMES_SHOWN: usize = 4;
/// Bytes of a message of wasmtime's that are kept.
const MESSAGE_BYTES_MAX: usize = 512;

/// A call of a plugin that gave no answer. The batch is untouched; the stage's `on_error` says what becomes of it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The plugin's code trapped: it panicked, divided by zero, ran out of stack, …
    #[error("the plugin trapped: {message}{}{}", last_words(.words), place(.frames))]
    Trap {
        /// The kind of trap.
        message: String,
        /// What the plugin logged as an error in the same call, if anything: its panic's message. Escaped, bounded.
        words: Option<String>,
        /// The innermost functions, if their names are known.
        frames: Vec<String>,
    },
    /// The call took longer than its deadline.
    #[error("the plugin ran longer than its deadline of {0:?} (limits: deadline)")]
    Deadline(Duration),
    /// The plugin trapped after it had asked for more memory than it may have.
    #[error("the plugin needs more memory than its {max} bytes (limits: memory)")]
    Memory {
        /// The stage's limit.
        max: usize,
    },
    /// The answer is too large, or breaks the interface.
    #[error("the plugin's answer is not usable: {0}")]
    Answer(String),
    /// The plugin answered with an error, by its own decision.
    #[error("the plugin refused the batch: {0}")]
    Refused(String),
    /// After an earlier fault a new instance was due, and did not start.
    #[error("the plugin could not be started again")]
    Start(#[source] Box<StartFault>),
    /// The plugin faulted so often in a row that it is not called for now.
    #[error("the plugin is not called for another {0:?}: it faulted too often in a row")]
    Open(Duration),
    /// The instance did not survive an earlier call, or is of another kind than it was called as.
    #[error("there is no instance to call")]
    Gone,
}

impl Fault {
    /// The value of the metrics' label `fault`.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Trap { .. } => "trap",
            Fault::Deadline(_) => "deadline",
            Fault::Memory { .. } => "memory",
            Fault::Answer(_) => "answer",
            Fault::Refused(_) => "refused",
            Fault::Start(_) => "start",
            Fault::Open(_) => "open",
            Fault::Gone => "gone",
        }
    }

    /// The plugin's own error, made fit to print.
    pub(super) fn refused(reason: &str) -> Fault {
        Fault::Refused(super::imports::log::printable(reason, MESSAGE_BYTES_MAX))
    }

    /// Judges what wasmtime said of a call that had so much time.
    pub(super) fn judge(error: &wasmtime::Error, host: &mut Host, time: Duration) -> Fault {
        let words = host.take_words();
        let starved = host.limiter.take_refused();
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let trap = error.downcast_ref::<Trap>();
        match trap {
            Some(Trap::Interrupt) => Fault::Deadline(time),
            _ if starved => Fault::Memory { max: host.limiter.memory_max() },
            None if backtrace.is_none() => Fault::Answer(message(error)),
            _ => Fault::Trap { message: message(error), words, frames: frames(backtrace) },
        }
    }
}

fn message(error: &wasmtime::Error) -> String {
    let text = error.root_cause().to_string();
    let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
    super::imports::log::printable(text, MESSAGE_BYTES_MAX)
}

fn frames(backtrace: Option<&WasmBacktrace>) -> Vec<String> {
    let frames = backtrace.map(WasmBacktrace::frames).unwrap_or_default();
    let names = frames.iter().filter_map(|frame| frame.func_name());
    names.take(FRAMES_SHOWN).map(|name| super::imports::log::printable(name, MESSAGE_BYTES_MAX / 4)).collect()
}

fn last_words(words: &Option<String>) -> String {
    words.as_ref().map_or_else(String::new, |words| format!("; its last words: {words}"))
}

fn place(frames: &[String]) -> String {
    if frames.is_empty() { String::new() } else { format!("; in {}", frames.join(" < ")) }
}
