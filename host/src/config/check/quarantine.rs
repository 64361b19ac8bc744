//! Quarantine: the dead-letter file of a stage.

use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{ExporterSpec, QuarantineSpec, Spec, TargetSpec};

use super::{Declared, RELATIVE, resolve, some_bytes};

/// Reads where a stage puts what its plugin cannot take.
pub(super) fn quarantine(report: &mut Report, spot: &Spot, raw: &raw::Quarantine) -> Option<QuarantineSpec> {
    let Some(typed) = &raw.path else {
        let mend = "name the file that poison records go to: `path: ./poison.jsonl`".to_owned();
        report.refuse(spot, "`path` is missing", Some(mend));
        return None;
    };
    let at = spot.key("path");
    let path = resolve(report, spot, typed);
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        report.refuse(&at, format!("there is no folder `{}`", folder.display()), Some(RELATIVE.to_owned()));
    }
    if path.is_dir() {
        report.refuse(&at, "this is a folder", Some("name a file".to_owned()));
    }
    Some(QuarantineSpec {
        path,
        max_bytes: some_bytes(report, &spot.key("max_bytes"), raw.max_bytes) as u64,
        max_backups: usize::try_from(raw.max_backups).unwrap_or(usize::MAX),
    })
}

/// Refuses a file that a file exporter writes to: two writers would cut each other's lines.
pub(super) fn clashes(report: &mut Report, spec: &Spec, stages: &Declared, exporters: &Declared) {
    let quarantines = spec.processors.iter().filter_map(|(id, stage)| {
        Some((
            stage.quarantine.as_ref()?,
            stages.get(id)?.key("quarantine").key("path"),
            "the quarantine a file of its",
        ))
    });
    let dead_letters = spec.exporters.iter().filter_map(|(id, exporter)| {
        Some((
            exporter.dead_letter.as_ref()?,
            exporters.get(id)?.key("dead_letter"),
            "the dead letters a file of their",
        ))
    });
    for (file, at, what) in quarantines.chain(dead_letters) {
        let writes =
            |exporter: &ExporterSpec| matches!(&exporter.target, TargetSpec::File(other) if other.path == file.path);
        if let Some((other, _)) = spec.exporters.iter().find(|(_, exporter)| writes(exporter)) {
            let mend = format!("give {what} own");
            report.refuse(&at, format!("the exporter `{other}` writes to the same file"), Some(mend));
        }
    }
}
