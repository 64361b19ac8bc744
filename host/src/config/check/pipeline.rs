//! Pipelines: signals, and references to the components of all files.

use std::collections::BTreeMap;

use crate::config::report::{Report, Spot};
use crate::config::spec::PipelineSpec;
use crate::config::{did_you_mean, raw};
use crate::data::Signal;

use super::{Declared, SECTIONS, type_of};

/// Reads the pipelines. Those with a wrong signal are left out.
pub(super) fn pipelines(
    report: &mut Report,
    declared: &Declared,
    components: [&Declared; 3],
) -> BTreeMap<String, PipelineSpec> {
    let mut pipelines = BTreeMap::new();
    for (id, spot) in declared {
        let raw = report.read::<raw::Pipeline>(spot).unwrap_or_default();
        let typed = [raw.receivers, raw.processors, raw.exporters];
        for ((ids, known), (section, one)) in typed.iter().zip(components).zip(SECTIONS) {
            references(report, &spot.key(section), ids, known, one);
        }
        let Some(signal) = Signal::ALL.into_iter().find(|s| s.name() == type_of(id)) else {
            let mend = did_you_mean(type_of(id), Signal::ALL.map(Signal::name));
            report.refuse_key(&spot.clone(), format!("`{}` is not a signal", type_of(id)), mend);
            continue;
        };
        let [receivers, processors, exporters] = typed;
        let file = report.place(spot).file;
        pipelines.insert(id.clone(), PipelineSpec { signal, receivers, processors, exporters, file });
    }
    pipelines
}

/// Checks one list of a pipeline.
fn references(report: &mut Report, spot: &Spot, ids: &[String], known: &Declared, one: &str) {
    if ids.is_empty() && one != "processor" {
        let name = known.keys().next().map_or("…", String::as_str);
        report.refuse(
            spot,
            format!("the pipeline has no {one}"),
            Some(format!("name at least one: `{one}s: [{name}]`")),
        );
    }
    for (at, id) in ids.iter().enumerate() {
        if !known.contains_key(id) && report.incomplete {
            continue;
        }
        if !known.contains_key(id) {
            let near = crate::config::closest(id, known.keys().map(String::as_str));
            let mend = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it: `{one}s: {{{id}: …}}`"),
            };
            report.refuse(&spot.item(at), format!("the {one} `{id}` is not declared"), Some(mend));
        } else if ids.iter().take(at).any(|earlier| earlier == id) {
            let mend = match one {
                "processor" => format!("declare a second one, `{id}/again`, if the plugin is to run twice"),
                _ => "remove it".to_owned(),
            };
            report.refuse(&spot.item(at), format!("the {one} `{id}` is named twice"), Some(mend));
        }
    }
}
