//! For any request and any edits, decode(splice(bytes)) is the edit done on the decoded message.

use std::collections::BTreeMap;

use bytes::Bytes;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::prelude::*;

use super::model::{Cell, Model, Slot};
use super::projection;
use crate::data::Signal;
use crate::data::batch::Batch;
use crate::data::column::{Edit, slice_word};
use crate::data::field::{Field, Level, Source};
use crate::data::splice::splice;
use crate::data::testing::{KEYS, Keys, Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces, arbitrary_value};
use crate::data::walk::{Limits, walk};

/// Attributes are edited through these paths; `[*]` beside single keys, and without them.
fn attribute_paths(signal: Signal) -> Vec<String> {
    let mut owners = vec!["attributes", "resource.attributes", "scope.attributes"];
    match signal {
        Signal::Traces => owners.extend(["span.events.attributes", "span.links.attributes"]),
        Signal::Metrics => owners.push("metric.metadata"),
        Signal::Logs => {}
    }
    owners
        .into_iter()
        .flat_map(|owner| {
            let keyed = KEYS[..4].iter().map(move |key| format!("{owner}[\"{key}\"]"));
            keyed.chain([format!("{owner}[*]")])
        })
        .collect()
}

fn plain_paths(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Traces => &[
            "span.name",
            "span.kind",
            "span.trace_state",
            "span.status.code",
            "span.status.message",
            "span.events.name",
        ],
        Signal::Metrics => &["metric.name", "metric.description", "metric.unit"],
        Signal::Logs => &["log.body", "log.severity_number", "log.severity_text", "log.event_name"],
    }
}

/// A step of a chain: one answer of a transform, by path.
#[derive(Clone, Debug)]
struct Step {
    path: usize,
    /// Which entry, modulo how many there are; which key of the pool, for `[*]`; the new value.
    edits: Vec<(usize, usize, Cell)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cell = prop_oneof![
        1 => Just(Cell::Absent),
        4 => arbitrary_value(Keys::Unique).prop_map(|value| Cell::of_any(Some(&value))),
    ];
    let step = (any::<usize>(), prop::collection::vec((any::<usize>(), any::<usize>(), cell), 1..6))
        .prop_map(|(path, edits)| Step { path, edits });
    prop::collection::vec(step, 0..5)
}

/// What a value becomes when it is written to a field that is not an attribute.
fn fit(path: &str, cell: &Cell) -> Cell {
    let is_int = path.ends_with("code") || path.ends_with("kind") || path.ends_with("severity_number");
    match (path, cell) {
        ("log.body", cell) => cell.clone(),
        (_, Cell::Int(int)) if is_int => Cell::Int(i64::from(*int as i32)),
        _ if is_int => Cell::Int(1),
        (_, Cell::Text(text)) => Cell::Text(text.clone()),
        _ => Cell::Absent,
    }
}

fn text(cell: &Cell) -> String {
    if let Cell::Text(text) = cell { text.clone() } else { String::new() }
}

fn int(cell: &Cell) -> i32 {
    if let Cell::Int(int) = cell { *int as i32 } else { 0 }
}

fn spans(model: &mut Model) -> Vec<&mut Span> {
    let Model::Traces(request) = model else { return Vec::new() };
    request.resource_spans.iter_mut().flat_map(|rs| &mut rs.scope_spans).flat_map(|ss| &mut ss.spans).collect()
}

fn logs(model: &mut Model) -> Vec<&mut LogRecord> {
    let Model::Logs(request) = model else { return Vec::new() };
    request.resource_logs.iter_mut().flat_map(|rl| &mut rl.scope_logs).flat_map(|sl| &mut sl.log_records).collect()
}

/// Does a plain edit on the decoded message.
fn write_plain(model: &mut Model, path: &str, entry: usize, cell: &Cell) {
    match path {
        "span.name" => spans(model)[entry].name = text(cell),
        "span.kind" => spans(model)[entry].kind = int(cell),
        "span.trace_state" => spans(model)[entry].trace_state = text(cell),
        "span.status.code" | "span.status.message" => {
            let status = &mut spans(model)[entry].status;
            let is_default = matches!(cell, Cell::Absent | Cell::Int(0)) || *cell == Cell::Text(String::new());
            if status.is_none() && is_default {
                return;
            }
            let status = status.get_or_insert_default();
            if path == "span.status.code" { status.code = int(cell) } else { status.message = text(cell) }
        }
        "span.events.name" => {
            let mut events: Vec<_> = spans(model).into_iter().flat_map(|span| &mut span.events).collect();
            events[entry].name = text(cell);
        }
        "metric.name" => model.metrics()[entry].name = text(cell),
        "metric.description" => model.metrics()[entry].description = text(cell),
        "metric.unit" => model.metrics()[entry].unit = text(cell),
        "log.body" => logs(model)[entry].body = cell.to_any(),
        "log.severity_number" => logs(model)[entry].severity_number = int(cell),
        "log.severity_text" => logs(model)[entry].severity_text = text(cell),
        "log.event_name" => logs(model)[entry].event_name = text(cell),
        _ => panic!("no such path: {path}"),
    }
}

fn apply(batch: &mut Batch, model: &mut Model, column: usize, path: &str, step: &Step) {
    let field = batch.projection.columns()[column].field.clone();
    let entries = batch.entries(field.level);
    if entries == 0 {
        return;
    }
    let is_attribute = matches!(field.source, Source::Attribute(_) | Source::Attributes);
    let wanted: BTreeMap<(usize, usize), Cell> = step
        .edits
        .iter()
        .map(|(entry, key, cell)| {
            let key = if field.source == Source::Attributes { key % KEYS.len() } else { 0 };
            ((entry % entries, key), if is_attribute { cell.clone() } else { fit(path, cell) })
        })
        .collect();
    let mut edit = Edit::default();
    for ((entry, key), cell) in &wanted {
        edit.entries.push(*entry as u32);
        edit.values.push(cell.as_value());
        match &field.source {
            Source::Attributes => {
                let offset = edit.values.data.len() as u32;
                edit.values.data.extend_from_slice(KEYS[*key].as_bytes());
                edit.keys.push(slice_word(offset, KEYS[*key].len() as u32));
                model.attributes(field.level)[*entry].write(KEYS[*key], cell.to_any());
            }
            Source::Attribute(key) => model.attributes(field.level)[*entry].write(key, cell.to_any()),
            _ => write_plain(model, path, *entry, cell),
        }
    }
    assert_eq!(batch.apply(&[column], &[edit]), Ok(wanted.len() as u64));
}

/// After each step the columns say what the edited message says.
fn assert_columns(batch: &Batch, model: &mut Model, paths: &[String]) {
    for (column, path) in paths.iter().enumerate() {
        let field = Field::resolve(path, model.signal()).unwrap();
        let view = batch.view(&[column]);
        match (&field.source, view.columns[0]) {
            (Source::Attribute(key), crate::data::column::Column::Cells(cells)) => {
                for (entry, list) in model.attributes(field.level).iter().enumerate() {
                    assert_eq!(Cell::of_value(&cells.value(entry)), Cell::of_attribute(list.read(), key), "{path}");
                }
            }
            (Source::Attributes, crate::data::column::Column::Attributes(all)) => {
                for (entry, list) in model.attributes(field.level).iter().enumerate() {
                    let range = all.starts[entry] as usize..all.starts[entry + 1] as usize;
                    let got: Vec<(Vec<u8>, Cell)> = range
                        .map(|at| {
                            let key = all.values.data[crate::data::column::slice_of(all.keys[at])].to_vec();
                            (key, Cell::of_value(&all.values.value(at)))
                        })
                        .collect();
                    let expected: Vec<(Vec<u8>, Cell)> = list
                        .read()
                        .iter()
                        .map(|pair| (pair.key.clone().into_bytes(), Cell::of_any(pair.value.as_ref())))
                        .collect();
                    assert_eq!(got, expected, "{path}");
                }
            }
            _ => {}
        }
    }
}

/// Attributes are a set: in which order several new ones are appended does not matter. Nor does it whether a message
/// that was made by one edit and emptied by the next is there.
fn normalise(model: &mut Model) {
    spans(model).into_iter().for_each(|span| drop(span.status.take_if(|status| *status == Status::default())));
    for level in [Level::Resource, Level::Scope, Level::Metric, Level::Record, Level::Event, Level::Link] {
        if level != Level::Metric || model.signal() == Signal::Metrics {
            model.attributes(level).iter_mut().for_each(Slot::normalise);
        }
    }
}

fn edits_mean_the_same(mut model: Model, steps: &[Step], picks: &[bool], drops: u64) {
    let signal = model.signal();
    let mut paths: Vec<String> = attribute_paths(signal);
    paths.extend(plain_paths(signal).iter().map(|path| (*path).to_owned()));
    let mut pick = picks.iter().cycle();
    paths.retain(|_| *pick.next().unwrap());
    let borrowed: Vec<&str> = paths.iter().map(String::as_str).collect();
    let bytes = Bytes::from(model.encode());
    let mut batch = walk(&bytes, &projection(signal, &borrowed), Limits::default()).unwrap();
    assert!(batch.rejected.is_empty(), "{:?}", batch.rejected);
    assert_columns(&batch, &mut model, &paths);
    for step in steps.iter().filter(|_| !paths.is_empty()) {
        let column = step.path % paths.len();
        apply(&mut batch, &mut model, column, &paths[column], step);
        assert_columns(&batch, &mut model, &paths);
    }
    let keeps = |row: usize| drops >> (row % 64) & 1 == 0;
    for row in (0..batch.rows()).filter(|row| !keeps(*row)) {
        batch.drop_row(row);
    }
    let all_gone = batch.live_rows() == 0;
    model.retain(keeps);
    match splice(&batch) {
        // By encoding, as NaN is not equal to itself.
        Some(spliced) => {
            let mut got = Model::decode(signal, &spliced.bytes);
            normalise(&mut got);
            normalise(&mut model);
            assert!(got.encode() == model.encode(), "got {got:?}\nexpected {model:?}");
        }
        None => assert!(all_gone),
    }
}

fn drops() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), any::<u64>(), any::<u64>().prop_map(|bits| bits & bits >> 1 & bits << 3)]
}

fn repeated_keys() -> Shape {
    Shape { keys: Keys::Repeated, ..Shape::CLEAN }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn edits_of_traces_mean_the_same_on_bytes(
        request in arbitrary_traces(repeated_keys()), steps in steps(), picks in prop::collection::vec(any::<bool>(), 31), drops in drops(),
    ) {
        edits_mean_the_same(Model::Traces(request), &steps, &picks, drops);
    }

    #[test]
    fn edits_of_metrics_mean_the_same_on_bytes(
        request in arbitrary_metrics(repeated_keys()), steps in steps(), picks in prop::collection::vec(any::<bool>(), 31), drops in drops(),
    ) {
        edits_mean_the_same(Model::Metrics(request), &steps, &picks, drops);
    }

    #[test]
    fn edits_of_logs_mean_the_same_on_bytes(
        request in arbitrary_logs(repeated_keys()), steps in steps(), picks in prop::collection::vec(any::<bool>(), 31), drops in drops(),
    ) {
        edits_mean_the_same(Model::Logs(request), &steps, &picks, drops);
    }
}

#[test]
fn every_level_has_a_path_that_is_edited() {
    for signal in Signal::ALL {
        let levels: Vec<Level> =
            attribute_paths(signal).iter().map(|path| Field::resolve_writable(path, signal).unwrap().level).collect();
        assert!(levels.contains(&Level::Resource) && levels.contains(&Level::Record), "{signal}");
    }
}
