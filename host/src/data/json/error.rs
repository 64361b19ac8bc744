//! What is wrong with a JSON document, and where.

use std::borrow::Cow;
use std::fmt;

/// A document that is not an OTLP request: never worth a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Which answer it deserves.
    pub cause: JsonCause,
    /// Line of the offending place, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The way to the field, as in `resourceSpans[0].scopeSpans[0].spans[2].kind`; empty outside any field.
    pub path: String,
    /// What is wrong there, and the mend.
    pub what: Cow<'static, str>,
    /// Offset of the offending place, in bytes.
    pub at: usize,
}

/// Which answer an error deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonCause {
    /// Not JSON, or not an OTLP message: 400.
    Malformed,
    /// More than [`super::JsonLimits::max_bytes`] once encoded: 413.
    TooLarge,
}

/// The error while it is on its way out: boxed, so that the results and stack frames of the reader stay small.
pub(super) type Fault = Box<JsonError>;

/// A path longer than this keeps its inner end only.
const PATH_LENGTH_MAX: usize = 240;

impl JsonError {
    pub(super) fn new(at: usize, what: impl Into<Cow<'static, str>>) -> Fault {
        let cause = JsonCause::Malformed;
        Box::new(JsonError { cause, line: 0, column: 0, path: String::new(), what: what.into(), at })
    }

    /// The same error, seen from the message that has the field `name`.
    pub(super) fn inside(mut self: Box<Self>, name: &str) -> Fault {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.prepend(name, dot);
        self
    }

    /// The same error, seen from the list that has the element `index`.
    pub(super) fn in_element(mut self: Box<Self>, index: usize) -> Fault {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.prepend(&format!("[{index}]"), dot);
        self
    }

    fn prepend(&mut self, outer: &str, dot: &str) {
        if self.path.starts_with('…') {
            return;
        }
        let outer = if self.path.len() > PATH_LENGTH_MAX { "…" } else { outer };
        self.path = format!("{outer}{dot}{}", self.path);
    }

    /// The same error with line and column, which are counted only now that there is one.
    pub(super) fn located(mut self, json: &[u8]) -> JsonError {
        let before = json.get(..self.at).unwrap_or(json);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        self.line = 1 + memchr::memchr_iter(b'\n', before).count();
        // Continuation bytes of UTF-8 are not characters of their own.
        self.column = 1 + in_line.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JSON, line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for JsonError {}
