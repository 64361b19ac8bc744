//! Log lines of plugins: bounded in length and in rate, and without characters that forge a line.

use std::fmt::Write;

use prometheus_client::metrics::counter::Counter;

use crate::telemetry::lines::Lines;

/// Bytes of one line.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// Lines a second that a stage may write, over all its instances.
const LINES_PER_SECOND: f64 = 50.0;
/// Lines that it may write at once after a silence.
const LINES_AT_ONCE: f64 = 100.0;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of every log")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where the instances of a stage write their lines.
#[derive(Debug)]
pub struct Logbook {
    pipeline: String,
    processor: String,
    plugin: String,
    lines: Lines,
    dropped: Counter,
}

impl Logbook {
    /// A log for one stage; `dropped` counts lines that are over the rate.
    pub fn new(pipeline: String, processor: String, plugin: String, dropped: Counter) -> Logbook {
        Logbook { pipeline, processor, plugin, lines: Lines::new(LINES_PER_SECOND, LINES_AT_ONCE), dropped }
    }

    /// Whether the operator wants lines of that level.
    pub fn enabled(&self, level: Level) -> bool {
        match level {
            Level::Trace => tracing::enabled!(tracing::Level::TRACE),
            Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(tracing::Level::INFO),
            Level::Warn => tracing::enabled!(tracing::Level::WARN),
            Level::Error => tracing::enabled!(tracing::Level::ERROR),
        }
    }

    /// Writes a line, or counts it as dropped.
    pub fn write(&self, level: Level, message: &str) {
        if !self.enabled(level) {
            return;
        }
        let Some(dropped) = self.lines.take() else {
            self.dropped.inc();
            return;
        };
        // Recorded only when there is something to tell.
        let dropped_before = (dropped > 0).then_some(dropped);
        let line = printable(message, LINE_BYTES_MAX);
        let Logbook { pipeline, processor, plugin, .. } = self;
        macro_rules! event {
            ($level:ident) => {
                tracing::event!(tracing::Level::$level, pipeline, processor, plugin, dropped_before, "{line}")
            };
        }
        match level {
            Level::Trace => event!(TRACE),
            Level::Debug => event!(DEBUG),
            Level::Info => event!(INFO),
            Level::Warn => event!(WARN),
            Level::Error => event!(ERROR),
        }
    }
}

/// A text as one line: control characters and those that turn the direction of writing are escaped, and what is
/// over `bytes_max` is cut off and told.
pub(crate) fn printable(text: &str, bytes_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(bytes_max));
    for (at, character) in text.char_indices() {
        if line.len() + character.len_utf8() > bytes_max {
            let _ = write!(line, "… ({} bytes more)", text.len() - at);
            break;
        }
        if forges(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

fn forges(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_be_forged() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}é", 100), "a\\nb\\u{1b}[31m\\u{202e}é");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(printable("ééé", 5), "éé… (2 bytes more)");
        assert!(printable(&"\n".repeat(1 << 20), 100).len() < 130);
    }
}
