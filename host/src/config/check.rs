//! From what was typed to what it means: collects the components of all files, and makes each a valid spec.

mod admission;
mod audit;
mod compression;
mod credential;
mod delivery;
mod durable;
mod exhausted;
mod exporter;
mod memory;
mod pipeline;
mod quarantine;
mod receiver;
mod security;
mod service;
mod spread;
mod stage;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(super) use exporter::TYPES as EXPORTER_TYPES;
#[cfg(test)]
pub(super) use receiver::TYPES as RECEIVER_TYPES;

use super::env::Env;
use super::report::{Report, Spot};
use super::spec::{Place, Spec};
use super::value::{Size, Time};
use super::{closest, did_you_mean};

/// The components of one kind, over all files: where each id is declared.
type Declared = BTreeMap<String, Spot>;

/// The top-level keys of a file, and what one of their components is called.
const SECTIONS: [(&str, &str); 3] = [("receivers", "receiver"), ("processors", "processor"), ("exporters", "exporter")];

/// Makes the spec. It is valid only if the report holds no problem afterwards.
pub(super) fn check(report: &mut Report, env: Env<'_>) -> Spec {
    unknown_sections(report);
    let [receivers, processors, exporters] = SECTIONS.map(|(section, one)| declared(report, &[section], one));
    let pipelines = declared(report, &["service", "pipelines"], "pipeline");
    let mut spec = Spec { service: service::service(report), ..Spec::default() };
    spec.pipelines = pipeline::pipelines(report, &pipelines, [&receivers, &processors, &exporters]);
    if pipelines.is_empty() && !report.incomplete && !report.documents.is_empty() {
        let mend = Some("declare one: `service: {pipelines: {traces: {receivers: […], exporters: […]}}}`".to_owned());
        report.refuse(&Spot::top(0).key("service").key("pipelines"), "no pipeline is declared", mend);
    }
    for (id, spot) in &receivers {
        let receiver = receiver::receiver(report, spot, id);
        let used = spec.pipelines.values().any(|p| p.receivers.contains(id));
        spec.receivers.extend(receiver.filter(|_| used).map(|r| (id.clone(), r)));
        warn_unused(report, spot, "receiver", used);
    }
    for (id, spot) in &processors {
        let stage = stage::stage(report, spot, id);
        let used = spec.pipelines.values().any(|p| p.processors.contains(id));
        spec.processors.extend(stage.filter(|_| used).map(|s| (id.clone(), s)));
        warn_unused(report, spot, "processor", used);
    }
    for (id, spot) in &exporters {
        let users = spec.pipelines.values().filter(|p| p.exporters.contains(id));
        let signals: std::collections::BTreeSet<_> = users.map(|p| p.signal).collect();
        let exporter = exporter::exporter(report, env, spot, id, &signals);
        spec.exporters.extend(exporter.filter(|_| !signals.is_empty()).map(|e| (id.clone(), e)));
        warn_unused(report, spot, "exporter", !signals.is_empty());
    }
    receiver::clashes(report, &spec, &receivers);
    exporter::clashes(report, &spec, &exporters);
    durable::clashes(report, &spec, &exporters);
    quarantine::clashes(report, &spec, &processors, &exporters);
    spec
}

/// Collects the ids below a key of every file; the second of a kind with one id is refused.
fn declared(report: &mut Report, path: &[&str], one: &str) -> Declared {
    let mut found = Declared::new();
    for file in 0..report.documents.len() {
        let section = path.iter().fold(Spot::top(file), |spot, key| spot.key(key));
        for id in report.keys(&section) {
            let spot = section.key(&id);
            if let Some(first) = found.get(&id) {
                let Place { file, line, column } = report.place_of_key(first);
                let what = format!("the {one} `{id}` is also declared in {}:{line}:{column}", file.display());
                let mend =
                    Some(format!("ids hold for all files of a run; call one of them `{id}/another`, or remove it"));
                report.refuse_key(&spot, what, mend);
                continue;
            }
            if id.split('/').any(str::is_empty) || id.contains(char::is_whitespace) {
                report.refuse_key(&spot, "an id is a name, or `type/name`, without blanks", None);
            }
            found.insert(id, spot);
        }
    }
    found
}

fn unknown_sections(report: &mut Report) {
    let known: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).chain(["service"]).collect();
    for file in 0..report.documents.len() {
        let top = Spot::top(file);
        for key in report.keys(&top) {
            if !known.contains(&key.as_str()) {
                let mend = did_you_mean(&key, known.iter().copied());
                report.incomplete |= closest(&key, known.iter().copied()).is_some();
                report.refuse_key(&top.key(&key), format!("unknown key `{key}`"), mend);
            }
        }
    }
}

fn warn_unused(report: &mut Report, spot: &Spot, one: &str, used: bool) {
    if !used {
        let id = spot.path.last().map(String::as_str).unwrap_or_default();
        let mend = Some(format!("name it in a pipeline, or remove it: an unused {one} is not started"));
        report.warn_key(spot, format!("no pipeline uses the {one} `{id}`"), mend);
    }
}

/// The type in an id: what stands before the `/`.
fn type_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// Refuses a component whose type does not exist.
fn unknown_type(report: &mut Report, spot: &Spot, one: &str, types: &[&str]) {
    let id = spot.path.last().map(String::as_str).unwrap_or_default();
    let mend = did_you_mean(type_of(id), types.iter().copied());
    report.refuse_key(spot, format!("`{}` is not a type of {one}", type_of(id)), mend);
}

/// A path as typed, from the folder of the file that names it.
fn resolve(report: &Report, spot: &Spot, typed: &str) -> PathBuf {
    let file = report.documents.get(spot.file).map(|d| d.source.path.as_path());
    let joined = file.and_then(Path::parent).map(|folder| folder.join(typed)).unwrap_or_else(|| typed.into());
    std::path::absolute(&joined).unwrap_or(joined)
}

/// What every mend for a path says.
const RELATIVE: &str = "relative paths begin at the folder of the pipeline file";

/// A number that must not be 0.
fn at_least_one(report: &mut Report, spot: &Spot, number: u64) -> usize {
    if number == 0 {
        report.refuse(spot, "the number must be at least 1", None);
    }
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A size that must not be 0.
fn some_bytes(report: &mut Report, spot: &Spot, size: Size) -> usize {
    if size.0 == 0 {
        report.refuse(spot, "the size must be more than 0", None);
    }
    size.bytes()
}

/// A duration that must not be 0.
fn some_time(report: &mut Report, spot: &Spot, time: Time) -> std::time::Duration {
    if time.0.is_zero() {
        report.refuse(spot, "the duration must be more than 0", None);
    }
    time.0
}
