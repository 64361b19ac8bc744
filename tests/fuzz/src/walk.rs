//! The walk and the splice, on any bytes as a request: signal, a byte that picks fields, then the request.

use std::sync::Arc;

use bytes::Bytes;
use sluicebox::data::Signal;
use sluicebox::data::batch::{Batch, ColumnStore};
use sluicebox::data::field::Field;
use sluicebox::data::projection::Projection;
use sluicebox::data::splice::splice;
use sluicebox::data::walk::{Limits, walk};

use crate::input::Input;
use crate::model::meaning;

/// What is accepted is well-formed in the eyes of prost too, whatever fields are asked for; unchanged it is the same
/// bytes; with rows dropped it is a request of the rows that are left.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let (signal, picks, drops) = (input.signal(), input.u8(), input.u8());
    let bytes = Bytes::copy_from_slice(input.rest());
    let bare = walk(&bytes, &projection(signal, 0), Limits::default());
    let full = walk(&bytes, &projection(signal, picks), Limits::default());
    let (bare, full) = match (bare, full) {
        (Ok(bare), Ok(full)) => (bare, full),
        (Err(bare), Err(full)) => {
            assert_eq!(bare, full, "the fields that are asked for change the error");
            return;
        }
        (bare, full) => panic!("accepted or not by the fields that are asked for: {bare:?} {full:?}"),
    };
    decodes(signal, &bytes);
    assert_eq!((bare.rows(), &bare.rejected), (full.rows(), &full.rejected));
    columns_are_sound(&full);
    unchanged(&bare);
    unchanged(&full);
    dropped(full, drops);
}

/// The fields of a signal that the bits of a byte pick.
pub fn projection(signal: Signal, picks: u8) -> Arc<Projection> {
    let mut paths = vec![
        "attributes[*]",
        "attributes[\"http.route\"]",
        "resource.attributes[\"service.name\"]",
        "resource.attributes[*]",
        "scope.name",
    ];
    paths.extend(match signal {
        Signal::Traces => ["span.duration", "span.status.code", "span.events.attributes[*]"],
        Signal::Metrics => ["metric.name", "datapoint.value", "metric.metadata[*]"],
        Signal::Logs => ["log.body", "log.severity_number", "log.trace_id"],
    });
    let mut projection = Projection::empty(signal);
    for (_, path) in paths.into_iter().enumerate().filter(|(bit, _)| picks >> bit & 1 == 1) {
        let field = Field::resolve(path, signal).expect(path);
        projection.add(&field, field.writable).expect("eight fields fit");
    }
    Arc::new(projection)
}

/// Every column has a value for every entry, and every slice lies in its data and is text where it says so.
fn columns_are_sound(batch: &Batch) {
    for (projected, column) in batch.projection.columns().iter().zip(&batch.columns) {
        let entries = batch.entries(projected.field.level);
        let cells = match column {
            ColumnStore::Cells(column) => {
                assert_eq!(column.cells.len(), entries);
                &column.cells
            }
            ColumnStore::Attributes(column) => {
                let attributes = &column.attributes;
                assert_eq!(attributes.starts.len(), entries + 1);
                assert_eq!(attributes.starts.last().copied().unwrap_or(0) as usize, attributes.keys.len());
                assert!(attributes.starts.is_sorted());
                &attributes.values
            }
        };
        for index in 0..cells.len() {
            if let sluicebox::data::column::Value::Text(text) = cells.value(index) {
                assert!(str::from_utf8(text).is_ok(), "text that is not UTF-8");
            }
        }
    }
}

fn unchanged(batch: &Batch) {
    match splice(batch) {
        None => assert_eq!(batch.live_rows(), 0),
        Some(spliced) if batch.rejected.is_empty() && batch.strips.is_empty() => {
            assert_eq!((spliced.bytes, spliced.records), (batch.bytes.clone(), batch.rows() as u64));
        }
        Some(spliced) => again(batch, &spliced.bytes, spliced.records),
    }
}

fn dropped(mut batch: Batch, drops: u8) {
    let rows: Vec<usize> = (0..batch.rows()).filter(|row| drops >> (row % 8) & 1 == 1).collect();
    rows.into_iter().for_each(|row| batch.drop_row(row));
    match splice(&batch) {
        None => assert_eq!(batch.live_rows(), 0),
        Some(spliced) => again(&batch, &spliced.bytes, spliced.records),
    }
}

/// What was spliced is a request of as many records, none of which is rejected.
pub fn again(batch: &Batch, spliced: &Bytes, records: u64) {
    assert_eq!(records, batch.live_rows() as u64);
    let walked = walk(spliced, &batch.projection, Limits::default()).expect("a spliced request is well-formed");
    assert_eq!((walked.rows() as u64, walked.rejected.len()), (records, 0));
    decodes(batch.signal(), spliced);
}

fn decodes(signal: Signal, request: &[u8]) {
    if let Err(error) = meaning(signal, request) {
        panic!("accepted, but prost does not decode it: {error}");
    }
}
