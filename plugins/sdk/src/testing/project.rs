//! Telemetry as the columns that a plan reads: what the host's projection does.

use crate::bindings::types::{self, Column, Plan};
use crate::level::is_all_attributes;
use crate::testing::Telemetry;
use crate::testing::entry::Record;
use crate::testing::paths::key_of;
use crate::value::keep_slice;
use crate::{Level, OwnedValue, ToCell};

pub(super) fn project(telemetry: &Telemetry, plan: &Plan) -> types::Batch {
    let records = &telemetry.records;
    let reads = |level| plan.reads.iter().any(|path| Level::of(path) == level);
    let of = |level, owner: fn(&Record) -> usize| {
        if reads(level) { records.iter().map(|record| owner(record) as u32).collect() } else { Vec::new() }
    };
    let owners = |level, count: fn(&Record) -> usize| {
        let owned = (0..).zip(records).flat_map(|(row, record)| std::iter::repeat_n(row, count(record)));
        if reads(level) { owned.collect() } else { Vec::new() }
    };
    types::Batch {
        rows: records.len() as u32,
        live: live(records),
        links: types::Links {
            resource_of: of(Level::Resource, |record| record.resource),
            scope_of: of(Level::Scope, |record| record.scope),
            metric_of: of(Level::Metric, |record| record.metric),
            event_record: owners(Level::Event, |record| record.events.len()),
            link_record: owners(Level::Link, |record| record.links.len()),
        },
        columns: plan.reads.iter().map(|path| column(telemetry, path)).collect(),
    }
}

/// The bitmap of live rows; empty if all are, as the host gives it.
fn live(records: &[Record]) -> Vec<u8> {
    if records.iter().all(|record| !record.dropped) {
        return Vec::new();
    }
    let bits = |byte: &[Record]| (0..).zip(byte).map(|(bit, record)| u8::from(!record.dropped) << bit).sum();
    records.chunks(8).map(bits).collect()
}

fn column(telemetry: &Telemetry, path: &str) -> Column {
    let entries = telemetry.level(Level::of(path));
    if is_all_attributes(path) {
        let (mut starts, mut keys, mut values) = (vec![0], Vec::new(), empty());
        for entry in entries {
            for (key, value) in &entry.attributes {
                keys.push(keep_slice(&mut values.data, key.as_bytes()));
                push(&mut values, value);
            }
            starts.push(keys.len() as u32);
        }
        return Column::Attributes(types::Attributes { starts, keys, values });
    }
    let (key, mut cells) = (key_of(path), empty());
    for entry in entries {
        push(&mut cells, key.as_ref().map_or_else(|| entry.field(path), |key| entry.attribute(key)));
    }
    Column::Cells(cells)
}

fn empty() -> types::Cells {
    types::Cells { kinds: Vec::new(), words: Vec::new(), data: Vec::new() }
}

fn push(cells: &mut types::Cells, value: &OwnedValue) {
    let (kind, word) = value.store(&mut cells.data);
    cells.kinds.push(kind);
    cells.words.push(word);
}
