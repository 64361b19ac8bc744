//! Telemetry as the columns that a plan reads: what the host's projection does.

use crate::bindings::types::{self, Column, Plan};
use crate::level::is_all_attributes;
use crate::testing::Telemetry;
use crate::testing::entry::Record;
use crate::testing::paths::key_of;
use crate::value::keep_slice;
use crate::{Level, OwnedValue, ToCell};

/// The levels that records are related to, and what the interface calls them.
const LEVELS: [(Level, types::Level); 5] = [
    (Level::Resource, types::Level::Resource),
    (Level::Scope, types::Level::Scope),
    (Level::Metric, types::Level::Metric),
    (Level::Event, types::Level::Event),
    (Level::Link, types::Level::Link),
];

pub(super) fn project(telemetry: &Telemetry, plan: &Plan) -> types::Batch {
    let records = &telemetry.records;
    let reads = |level| plan.reads.iter().any(|path| Level::of(path) == level);
    let of = |owner: fn(&Record) -> usize| records.iter().map(|record| owner(record) as u32).collect();
    let owners = |count: fn(&Record) -> usize| {
        (0..).zip(records).flat_map(|(row, record)| std::iter::repeat_n(row, count(record))).collect()
    };
    let mut relations = Vec::new();
    for (level, related) in LEVELS.into_iter().filter(|(level, _)| reads(*level)) {
        let positions = match level {
            Level::Resource => of(|record| record.resource),
            Level::Scope => of(|record| record.scope),
            Level::Metric => of(|record| record.metric),
            Level::Event => owners(|record| record.events.len()),
            Level::Link => owners(|record| record.links.len()),
            Level::Record => continue,
        };
        relations.push(types::Relation { level: related, positions });
    }
    types::Batch {
        rows: records.len() as u32,
        live: live(records),
        relations,
        columns: plan.reads.iter().map(|path| column(telemetry, path)).collect(),
    }
}

/// The bitmap of live rows; none if all are, as the host gives it.
fn live(records: &[Record]) -> Option<Vec<u8>> {
    if records.iter().all(|record| !record.dropped) {
        return None;
    }
    let bits = |byte: &[Record]| (0..).zip(byte).map(|(bit, record)| u8::from(!record.dropped) << bit).sum();
    Some(records.chunks(8).map(bits).collect())
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
