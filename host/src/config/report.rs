//! Collects the problems of all files, each where it belongs and none as the consequence of another.

use serde::de::DeserializeOwned;

use super::problem::{Problem, Severity};
use super::read;
use super::source::Source;
use super::spec::Place;
use super::tree::{Mark, Node};

/// Problems of a run that are told.
const PROBLEMS_MAX: usize = 1000;

/// A file that could be parsed.
pub(super) struct Document {
    pub source: Source,
    pub root: Node,
}

/// A key somewhere in the files, whether it is there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Index of the document.
    pub file: usize,
    /// Keys from the top; of an item of a list, its index.
    pub path: Vec<String>,
}

impl Spot {
    /// The top of a file.
    pub fn top(file: usize) -> Self {
        Spot { file, path: Vec::new() }
    }

    /// What lies below.
    pub fn key(&self, key: &str) -> Self {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        Spot { file: self.file, path }
    }

    /// An item of a list.
    pub fn item(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    /// Whether both are keys of one mapping.
    fn is_beside(&self, other: &Spot) -> bool {
        self.file == other.file
            && self.path.len() == other.path.len()
            && self.path.split_last().map(|(_, p)| p) == other.path.split_last().map(|(_, p)| p)
    }

    fn overlaps(&self, other: &Spot) -> bool {
        self.file == other.file && self.path.iter().zip(&other.path).all(|(a, b)| a == b)
    }
}

/// The problems so far, and the files that they are about.
#[derive(Default)]
pub(super) struct Report {
    pub documents: Vec<Document>,
    /// Whether a file could not be parsed, or a section is misspelt, so that what seems to be missing may be in it.
    pub incomplete: bool,
    problems: Vec<(Spot, Problem)>,
    warnings: Vec<Problem>,
}

impl Report {
    /// A problem that has no key.
    pub fn add(&mut self, problem: Problem) {
        if !self.problems.iter().any(|(_, earlier)| *earlier == problem) {
            self.problems.push((Spot::top(usize::MAX), problem));
        }
    }

    /// Refuses what stands at a spot, unless that, or something in it, was refused already: one mistake, one problem.
    pub fn refuse(&mut self, spot: &Spot, what: impl Into<String>, mend: Option<String>) {
        self.refuse_part(spot, what, mend, false);
    }

    /// Like [`Report::refuse`], but it is the key that is wrong.
    pub fn refuse_key(&mut self, spot: &Spot, what: impl Into<String>, mend: Option<String>) {
        self.refuse_part(spot, what, mend, true);
    }

    fn refuse_part(&mut self, spot: &Spot, what: impl Into<String>, mend: Option<String>, on_key: bool) {
        let misspelt = spot.path.last().map(|key| format!("did you mean `{key}`?"));
        let told = |(earlier, problem): &(Spot, Problem)| {
            earlier.overlaps(spot) || (earlier.is_beside(spot) && problem.mend == misspelt)
        };
        if self.problems.len() < PROBLEMS_MAX && !self.problems.iter().any(told) {
            let problem = self.problem(spot, what, mend, on_key);
            self.problems.push((spot.clone(), problem));
        }
    }

    /// Tells that a key is probably not meant.
    pub fn warn_key(&mut self, spot: &Spot, what: impl Into<String>, mend: Option<String>) {
        let problem = self.problem(spot, what, mend, true);
        self.warnings.push(Problem { severity: Severity::Warning, ..problem });
    }

    /// Tells of something suspicious in the value at a spot.
    pub fn warn(&mut self, spot: &Spot, what: impl Into<String>, mend: Option<String>) {
        let problem = self.problem(spot, what, mend, false);
        self.warnings.push(Problem { severity: Severity::Warning, ..problem });
    }

    /// Tells of something outside the files.
    pub fn warn_outside(&mut self, what: impl Into<String>, mend: Option<String>) {
        let problem = Problem::new(Place::default(), what, mend);
        let warning = Problem { severity: Severity::Warning, ..problem };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Reads what stands at a spot; all that is wrong in it is refused. None if nothing of it is left.
    pub fn read<T: DeserializeOwned>(&mut self, spot: &Spot) -> Option<T> {
        let (_, node) = self.resolve(spot)?;
        let mut refusals = Vec::new();
        let value = read::read(node, |refused| refusals.push(refused));
        for refused in refusals {
            let path = spot.path.iter().cloned().chain(refused.path()).collect();
            let at = Spot { file: spot.file, path };
            let problem = self.problem(&at, refused.what, refused.mend, refused.on_key);
            self.problems.push((at, problem));
        }
        value
    }

    /// The keys of the mapping at a spot; what is no mapping is refused.
    pub fn keys(&mut self, spot: &Spot) -> Vec<String> {
        let Some((_, node)) = self.resolve(spot) else { return Vec::new() };
        let keys: Vec<String> = node.entries().iter().map(|e| e.key.clone()).collect();
        if keys.is_empty() {
            self.read::<std::collections::BTreeMap<String, serde::de::IgnoredAny>>(spot);
        }
        keys
    }

    /// Whether something stands at a spot.
    pub fn is_given(&self, spot: &Spot) -> bool {
        self.resolve(spot).is_some_and(|(_, node)| !node.is_null())
    }

    /// Where a spot is, or the deepest key on the way to it that is there.
    pub fn place(&self, spot: &Spot) -> Place {
        let Some(document) = self.documents.get(spot.file) else { return Place::default() };
        document.source.place(self.mark(spot, false))
    }

    /// Where the key of a spot is.
    pub fn place_of_key(&self, spot: &Spot) -> Place {
        let Some(document) = self.documents.get(spot.file) else { return Place::default() };
        document.source.place(self.mark(spot, true))
    }

    /// Ends the collection: the problems in the order of the files, and the warnings.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        let paths: Vec<_> = self.documents.iter().map(|d| d.source.path.clone()).collect();
        let rank = |p: &Problem| {
            let file = paths.iter().position(|path| *path == p.place.file);
            (file.unwrap_or(usize::MAX), p.place.line, p.place.column)
        };
        let mut problems: Vec<Problem> = self.problems.into_iter().map(|(_, problem)| problem).collect();
        let mut warnings = self.warnings;
        problems.sort_by_key(rank);
        warnings.sort_by_key(rank);
        (problems, warnings)
    }

    fn resolve(&self, spot: &Spot) -> Option<(Mark, &Node)> {
        let root = &self.documents.get(spot.file)?.root;
        spot.path.iter().try_fold((root.mark, root), |(_, node), step| node.child(step))
    }

    fn mark(&self, spot: &Spot, of_key: bool) -> Mark {
        let Some(root) = self.documents.get(spot.file).map(|d| &d.root) else { return Mark::default() };
        let (mut mark, mut node) = (root.mark, root);
        for (depth, step) in spot.path.iter().enumerate() {
            let Some((found, inner)) = node.child(step) else { break };
            let entry = node.entries().iter().find(|e| e.key == *step);
            let last = depth + 1 == spot.path.len();
            mark = match entry {
                Some(entry) if of_key || !last => entry.mark,
                _ => found,
            };
            node = inner;
        }
        mark
    }

    fn problem(&self, spot: &Spot, what: impl Into<String>, mend: Option<String>, on_key: bool) -> Problem {
        let Some(document) = self.documents.get(spot.file) else {
            return Problem::new(Place::default(), what, mend);
        };
        let mark = self.mark(spot, on_key);
        Problem {
            key: spot.path.join("."),
            excerpt: document.source.excerpt(mark),
            ..Problem::new(document.source.place(mark), what, mend)
        }
    }
}
