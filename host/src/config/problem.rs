//! What is wrong with a pipeline file, said so that its author can mend it at once.

use std::fmt;
use std::path::Path;

use super::source::Source;
use super::spec::Place;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The files cannot run.
    Error,
    /// They can, but probably not as meant.
    Warning,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Whether the files can run nevertheless.
    pub severity: Severity,
    /// File, line and column; line 0: the file as a whole. An empty file name: no file at all.
    pub place: Place,
    /// The key, from the top: `exporters.otlp/backend.endpoint`; empty if it is not about one.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub what: String,
    /// What to do.
    pub mend: Option<String>,
    /// The line, with secrets masked.
    pub excerpt: Option<Excerpt>,
}

/// A line of a file and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, cropped if it is long, with secrets masked.
    pub text: String,
    /// Characters before the part that is meant.
    pub indent: usize,
    /// Characters of that part, at least 1.
    pub width: usize,
}

impl Problem {
    /// A problem that was found after parsing, by a plugin for instance. The excerpt is read from the file again;
    /// it is left out if the file is gone or has fewer lines by now.
    pub fn at(place: &Place, what: impl Into<String>, mend: Option<String>) -> Self {
        let source = Source::read(&place.file).ok();
        let excerpt = source.and_then(|s| s.masked().excerpt_at(place.line, place.column));
        Problem { excerpt, ..Problem::new(place.clone(), what, mend) }
    }

    /// A problem inside a stage's config: `pointer` is a JSON pointer (RFC 6901) from the config, whose place is
    /// [`StageSpec::place`](super::spec::StageSpec::place). Where it leads nowhere, the problem is at the deepest
    /// place on its way.
    pub fn in_config(place: &Place, pointer: &str, what: impl Into<String>, mend: Option<String>) -> Self {
        let inner = Source::read(&place.file).ok().and_then(|s| s.place_below(place, pointer));
        Problem::at(inner.as_ref().unwrap_or(place), what, mend)
    }

    /// A problem with a whole file.
    pub(super) fn in_file(file: &Path, what: impl Into<String>, mend: Option<String>) -> Self {
        Problem::new(Place { file: file.to_owned(), line: 0, column: 0 }, what, mend)
    }

    pub(super) fn new(place: Place, what: impl Into<String>, mend: Option<String>) -> Self {
        let (key, excerpt) = (String::new(), None);
        Problem { severity: Severity::Error, place, key, what: what.into(), mend, excerpt }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.what)?;
        let Place { file, line, column } = &self.place;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        if !file.as_os_str().is_empty() {
            write!(f, "\n{gutter}--> {}", file.display())?;
            if *line > 0 {
                write!(f, ":{line}:{column}")?;
            }
        }
        if let Some(Excerpt { text, indent, width }) = &self.excerpt {
            let (space, carets) = (" ".repeat(*indent), "^".repeat(*width));
            write!(f, "\n{gutter} |\n{number} | {text}\n{gutter} | {space}{carets}")?;
        }
        if !self.key.is_empty() {
            write!(f, "\n{gutter} = key: {}", self.key)?;
        }
        match &self.mend {
            Some(mend) => write!(f, "\nhelp: {mend}"),
            None => Ok(()),
        }
    }
}

/// Every problem of a run: at least one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            write!(f, "{problem}\n\n")?;
        }
        match self.0.len() {
            1 => f.write_str("1 problem"),
            n => write!(f, "{n} problems"),
        }
    }
}
