//! What a plugin saw of a record: the fields that it reads, and their values if they may be shown.

use serde_json::{Value as Json, json};

use super::example::Field;
use crate::config::spec::AuditSpec;
use crate::data::batch::{Batch, ColumnStore};
use crate::data::column::{Attributes, Value, slice_of};
use crate::data::field::Level;

/// Bytes of one value or name that are shown.
const TEXT_BYTES_MAX: usize = 128;
/// Fields of one example, and attributes of one field.
const FIELDS_MAX: usize = 32;

/// The fields of a row, from the columns as earlier stages have left them; `reads` are their paths and positions in the
/// projection.
pub fn fields<'a>(
    batch: &Batch,
    row: usize,
    reads: impl Iterator<Item = (&'a String, &'a usize)>,
    spec: &AuditSpec,
) -> Vec<Field> {
    reads.take(FIELDS_MAX).map(|(path, column)| field(batch, row, path, *column, spec)).collect()
}

fn field(batch: &Batch, row: usize, path: &str, column: usize, spec: &AuditSpec) -> Field {
    let level = batch.projection.columns().get(column).map(|projected| projected.field.level);
    let entry = level.and_then(|level| entry(batch, row, level));
    let is_shown = spec.values && !spec.redact.iter().any(|redacted| redacted == path);
    let (kind, value) = match (batch.columns.get(column), entry) {
        (Some(ColumnStore::Cells(store)), Some(entry)) => {
            let value = store.cells.value(entry);
            (kind(value), is_shown.then(|| shown(value)).flatten())
        }
        (Some(ColumnStore::Attributes(store)), Some(entry)) => {
            ("attributes", is_shown.then(|| attributes(&store.attributes, entry, path, spec)))
        }
        // A record has any number of events and links: which of them mattered, nobody knows.
        _ => ("several", None),
    };
    Field { field: path.to_owned(), kind, value }
}

/// The entry of a level that a row belongs to.
fn entry(batch: &Batch, row: usize, level: Level) -> Option<usize> {
    let relations = &batch.relations;
    let of = |relation: &[u32]| relation.get(row).map(|entry| *entry as usize);
    match level {
        Level::Record => Some(row),
        Level::Resource => of(&relations.resource_of),
        Level::Scope => of(&relations.scope_of),
        Level::Metric => of(&relations.metric_of),
        Level::Event | Level::Link => None,
    }
}

fn kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Absent => "absent",
        Value::Empty => "empty",
        Value::Text(_) => "text",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Double(_) => "double",
        Value::Bytes(_) => "bytes",
        Value::Array(_) => "array",
        Value::KvList(_) => "key-value list",
    }
}

/// A value for people; none of lists, which have no bounded form that says much.
fn shown(value: Value<'_>) -> Option<Json> {
    Some(match value {
        Value::Text(text) => json!(shortened(text)),
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Double(value) => json!(value),
        Value::Bytes(bytes) => json!(hex(bytes.get(..TEXT_BYTES_MAX / 2).unwrap_or(bytes))),
        Value::Absent | Value::Empty | Value::Array(_) | Value::KvList(_) => return None,
    })
}

/// All attributes of an entry, those that `redact` names by their own path without their value.
fn attributes(attributes: &Attributes, entry: usize, path: &str, spec: &AuditSpec) -> Json {
    let bound = |at: usize| attributes.starts.get(at).map_or(0, |start| *start as usize);
    let mut object = serde_json::Map::new();
    for index in (bound(entry)..bound(entry + 1)).take(FIELDS_MAX) {
        let key = attributes.keys.get(index).and_then(|key| attributes.values.data.get(slice_of(*key)));
        let key = shortened(key.unwrap_or_default());
        let own_path = path.replace("[*]", &format!("[\"{key}\"]"));
        let is_shown = !spec.redact.contains(&own_path);
        let value = is_shown.then(|| shown(attributes.values.value(index))).flatten();
        object.insert(key, value.unwrap_or(Json::Null));
    }
    Json::Object(object)
}

/// Text that is cut between characters.
pub fn shortened(text: &[u8]) -> String {
    let cut = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
    let whole = match std::str::from_utf8(cut) {
        Ok(whole) => whole,
        Err(error) => std::str::from_utf8(cut.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    if whole.len() < text.len() { format!("{whole}…") } else { whole.to_owned() }
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
