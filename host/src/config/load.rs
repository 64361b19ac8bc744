//! From paths to a spec: which files, what is in them, what is wrong with them.

use std::path::{Path, PathBuf};

use super::check;
use super::env::Env;
use super::problem::{Problem, Problems};
use super::report::{Document, Report};
use super::source::Source;
use super::spec::Spec;
use super::tree;

/// Files of one run.
const FILES_MAX: usize = 10_000;

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What the files mean together.
    pub spec: Spec,
    /// Every file that was read, in order: what a watcher looks at.
    pub files: Vec<PathBuf>,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads pipeline files. Each path is a file, or a folder: every `*.yaml` and `*.yml` in it, by name, without its
/// subfolders and without hidden entries (nor `..data` and the like, which Kubernetes puts there); symbolic links are
/// followed. The files count as one: ids hold for all of them.
///
/// `env` looks up environment variables, for `${env:NAME}` and for `OTEL_EXPORTER_OTLP_*`.
///
/// # Errors
/// Every problem of every file, not only the first.
pub fn load(paths: &[PathBuf], env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    let files = files(&mut report, paths);
    for file in &files {
        read(&mut report, file, env);
    }
    let spec = check::check(&mut report, env);
    let (problems, warnings) = report.finish();
    if problems.is_empty() { Ok(Loaded { spec, files, warnings }) } else { Err(Problems(problems)) }
}

/// Reads one text as a pipeline file: what a command line says is then what a file would have said.
///
/// # Errors
/// Every problem of it.
pub fn load_text(text: String, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    interpret(&mut report, Source::text(Path::new("command line"), text), env);
    let spec = check::check(&mut report, env);
    let (problems, warnings) = report.finish();
    if problems.is_empty() { Ok(Loaded { spec, files: Vec::new(), warnings }) } else { Err(Problems(problems)) }
}

/// The files that are meant, each once.
fn files(report: &mut Report, paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    if paths.is_empty() {
        let mend = Some("name a pipeline file, or a folder of them".to_owned());
        report.add(Problem::in_file(Path::new(""), "no pipeline file is given", mend));
    }
    for path in paths {
        let found = if path.is_dir() { in_folder(report, path) } else { vec![path.clone()] };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

fn in_folder(report: &mut Report, folder: &Path) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            report.add(Problem::in_file(folder, format!("cannot read the folder: {error}"), None));
            return Vec::new();
        }
    };
    let is_pipeline_file = |path: &PathBuf| {
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        !hidden && yaml && !path.is_dir()
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(is_pipeline_file).take(FILES_MAX).collect();
    files.sort();
    if files.is_empty() {
        let mend = Some("put a pipeline file into it; subfolders do not count".to_owned());
        report.add(Problem::in_file(folder, "the folder holds no `.yaml` or `.yml` file", mend));
    }
    files
}

/// Reads one file into the report.
fn read(report: &mut Report, file: &Path, env: Env<'_>) {
    match Source::read(file) {
        Ok(source) => interpret(report, source, env),
        Err(problem) => {
            report.incomplete = true;
            report.add(*problem);
        }
    }
}

fn interpret(report: &mut Report, mut source: Source, env: Env<'_>) {
    let (root, flaws) = tree::parse(&source.text, env);
    source.hide(match &root {
        Some(root) => root.secrets(&source.text),
        None => tree::secrets_of_broken(&source.text),
    });
    let sound = flaws.is_empty();
    for flaw in flaws {
        let excerpt = source.excerpt(flaw.mark);
        report.add(Problem { excerpt, ..Problem::new(source.place(flaw.mark), flaw.what, flaw.mend) });
    }
    match root {
        Some(root) if !root.is_null() => report.documents.push(Document { source, root }),
        None if !sound => report.incomplete = true,
        _ => {
            let mend = Some("declare receivers, exporters and a pipeline, or remove the file".to_owned());
            report.add(Problem::in_file(&source.path, "the file is empty", mend));
        }
    }
}
