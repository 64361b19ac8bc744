//! The text of a pipeline file: read within limits, and shown again in excerpts that keep its secrets.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problem::{Excerpt, Problem};
use super::spec::Place;
use super::tree::{self, Mark};

/// A file that is larger is refused.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Characters of an excerpt.
const EXCERPT_WIDTH_MAX: usize = 120;

/// A pipeline file's text.
pub(super) struct Source {
    /// As it was given, or found in the folder that was.
    pub path: PathBuf,
    /// Without a byte order mark.
    pub text: String,
    /// The parts that are never shown, as byte ranges.
    secrets: Vec<Range<usize>>,
}

impl Source {
    /// Reads a file; the problem says why it could not be.
    pub fn read(path: &Path) -> Result<Self, Box<Problem>> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return Err(Box::new(Problem::in_file(path, format!("cannot read the file: {error}"), None)));
        }
        if bytes.len() as u64 > FILE_BYTES_MAX {
            let mend = Some("split it, and run the folder".to_owned());
            return Err(Box::new(Problem::in_file(path, "the file is larger than 4 MiB", mend)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = 1 + good.iter().filter(|b| **b == b'\n').count() as u32;
            let column = 1 + good.iter().rev().take_while(|b| **b != b'\n').count() as u32;
            let place = Place { file: path.to_owned(), line, column };
            Box::new(Problem::new(place, "the file is not UTF-8", Some("save it as UTF-8".to_owned())))
        })?;
        Ok(Source::text(path, text))
    }

    /// A text that was read, or made, elsewhere.
    pub fn text(path: &Path, text: String) -> Self {
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Source { path: path.to_owned(), text, secrets: Vec::new() }
    }

    /// Hides these parts from excerpts.
    pub fn hide(&mut self, secrets: Vec<Range<usize>>) {
        self.secrets = secrets;
    }

    /// Finds the secrets by itself: from the tree, or line by line if there is none.
    pub fn masked(mut self) -> Self {
        self.secrets = match tree::parse(&self.text, &|_| None) {
            (Some(root), _) => root.secrets(&self.text),
            (None, _) => tree::secrets_of_broken(&self.text),
        };
        self
    }

    /// The place of a mark.
    pub fn place(&self, mark: Mark) -> Place {
        Place { file: self.path.clone(), line: mark.line, column: mark.column }
    }

    /// The place that a JSON pointer leads to, from the value at `place`.
    pub fn place_below(&self, place: &Place, pointer: &str) -> Option<Place> {
        let (root, _) = tree::parse(&self.text, &|_| None);
        let mut node = root.as_ref()?.at_mark(place.line, place.column)?;
        let mut mark = None;
        for step in pointer.split('/').skip(1) {
            let Some((found, inner)) = node.child(&step.replace("~1", "/").replace("~0", "~")) else { break };
            (mark, node) = (Some(found), inner);
        }
        mark.map(|mark| self.place(mark))
    }

    /// The line of a mark, with the mark's extent on it.
    pub fn excerpt(&self, mark: Mark) -> Option<Excerpt> {
        let (start, line) = self.line(mark.line)?;
        let end = start + line.trim_end().len();
        let from = mark.from.clamp(start, end);
        Some(self.show(start, line, from..mark.to.clamp(from, end)))
    }

    /// The line at a place, with the word that begins there.
    pub fn excerpt_at(&self, line: u32, column: u32) -> Option<Excerpt> {
        let (start, text) = self.line(line)?;
        let from = text.char_indices().nth(column.checked_sub(1)? as usize).map_or(text.len(), |(at, _)| at);
        let rest = text.get(from..)?;
        let word = rest.split([' ', ',', '}', ']']).next().unwrap_or_default().trim_end_matches(':').len();
        Some(self.show(start, text, start + from..start + from + word))
    }

    /// A line, and the byte at which it begins.
    fn line(&self, line: u32) -> Option<(usize, &str)> {
        let before = line.checked_sub(1)? as usize;
        let start: usize = self.text.split_inclusive('\n').take(before).map(str::len).sum();
        Some((start, self.text.get(start..)?.lines().next()?))
    }

    /// A line that begins at byte `start`, with secrets masked, control characters shown as blanks, cropped.
    fn show(&self, start: usize, line: &str, meant: Range<usize>) -> Excerpt {
        let (mut text, mut columns) = (String::new(), 0usize);
        let (mut indent, mut end) = (None, None);
        let mut masking = false;
        for (at, char) in line.char_indices().map(|(at, char)| (start + at, char)) {
            if at >= meant.start {
                indent.get_or_insert(columns);
            }
            if at >= meant.end {
                end.get_or_insert(columns);
            }
            let secret = self.secrets.iter().any(|s| s.contains(&at));
            if !secret {
                text.push(if char.is_control() { ' ' } else { char });
                columns += 1;
            } else if !masking {
                text.push_str("***");
                columns += 3;
            }
            masking = secret;
        }
        let indent = indent.unwrap_or(columns);
        let width = end.unwrap_or(columns).saturating_sub(indent).max(1);
        crop(Excerpt { text, indent, width })
    }
}

/// Keeps the part that is meant, and as much around it as there is room for.
fn crop(excerpt: Excerpt) -> Excerpt {
    let Excerpt { text, indent, width } = excerpt;
    let length = text.chars().count();
    if length <= EXCERPT_WIDTH_MAX {
        return Excerpt { text, indent, width };
    }
    let from = if indent > EXCERPT_WIDTH_MAX / 2 { indent - EXCERPT_WIDTH_MAX / 4 } else { 0 };
    let mut shown: String = text.chars().skip(from).take(EXCERPT_WIDTH_MAX).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + EXCERPT_WIDTH_MAX < length { "…" } else { "" });
    shown = format!("{before}{shown}{after}");
    let indent = indent - from + before.chars().count();
    Excerpt { text: shown, indent, width: width.min(EXCERPT_WIDTH_MAX.saturating_sub(indent).max(1)) }
}
