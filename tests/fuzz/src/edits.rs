//! Any answer of a transform on any request: signal, fields, length of the request, the request, then edits.

use bytes::Bytes;
use sluicebox::data::batch::{Batch, ColumnStore};
use sluicebox::data::column::{Cells, Edit, Value, slice_word};
use sluicebox::data::field::Level;
use sluicebox::data::splice::splice;
use sluicebox::data::walk::{Limits, walk};

use crate::input::Input;
use crate::walk::projection;

/// Edits of one answer, and entries of one edit.
const EDITS_MAX: u8 = 8;
const ENTRIES_MAX: u8 = 16;

/// An answer is refused as a whole, and then nothing of it is there; or what is spliced is a request in which every
/// record has the values that the columns have.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let (signal, picks, length) = (input.signal(), input.u8(), input.u16());
    let request = Bytes::copy_from_slice(input.bytes(usize::from(length)));
    let Ok(mut batch) = walk(&request, &projection(signal, picks), Limits::default()) else { return };
    let columns = batch.projection.columns();
    let writes: Vec<usize> = (0..columns.len()).filter(|&column| columns[column].field.writable).collect();
    for _ in 0..input.u8() % 3 {
        let edits = edits(&mut input);
        let before = batch.clone();
        match batch.apply(&writes, &edits) {
            Ok(values) => assert_eq!(values, edits.iter().map(|edit| edit.entries.len() as u64).sum::<u64>()),
            Err(_) => assert_same_columns(&before, &batch),
        }
    }
    batch.retain(input.rest());
    let Some(spliced) = splice(&batch) else {
        assert_eq!(batch.live_rows(), 0);
        return;
    };
    let walked = walk(&spliced.bytes, &batch.projection, Limits { attributes: usize::MAX, ..Limits::default() });
    let walked = walked.expect("a spliced request is well-formed");
    assert_eq!((spliced.records, walked.rows()), (batch.live_rows() as u64, batch.live_rows()));
    records_have_their_values(&batch, &walked);
}

fn edits(input: &mut Input<'_>) -> Vec<Edit> {
    (0..input.u8() % EDITS_MAX).map(|_| edit(input)).collect()
}

/// Mostly one that fits, so that it gets far; with bytes that make it not fit.
fn edit(input: &mut Input<'_>) -> Edit {
    let mut edit = Edit { field: u32::from(input.u8() % 10), ..Edit::default() };
    let shape = input.u8();
    for _ in 0..input.u8() % ENTRIES_MAX {
        edit.entries.push(u32::from(input.u8()));
        if shape & 1 == 1 {
            let length = usize::from(input.u8() % 16);
            edit.keys.push(edit.values.keep(input.bytes(length)));
        }
        push(&mut edit.values, input);
    }
    if shape & 2 == 0 {
        edit.entries.sort_unstable();
    }
    if shape & 0xf0 == 0xf0 {
        edit.keys.push(slice_word(input.u16().into(), input.u16().into()));
    }
    edit
}

fn push(cells: &mut Cells, input: &mut Input<'_>) {
    let kind = input.u8();
    let length = usize::from(input.u8() % 32);
    match kind % 12 {
        0 => cells.push(Value::Absent),
        1 => cells.push(Value::Empty),
        2 | 3 => cells.push(Value::Text(input.bytes(length))),
        4 => cells.push(Value::Bool(length > 7)),
        5 => cells.push(Value::Int(input.u64() as i64)),
        6 => cells.push(Value::Double(f64::from_bits(input.u64()))),
        7 => cells.push(Value::Bytes(input.bytes(length))),
        8 => cells.push(Value::Array(input.bytes(length))),
        9 => cells.push(Value::KvList(input.bytes(length))),
        // A kind and a word as they come: what only a hostile plugin sends.
        _ => {
            cells.kinds.push(kind);
            cells.words.push(input.u64());
        }
    }
}

fn assert_same_columns(before: &Batch, after: &Batch) {
    for (before, after) in before.columns.iter().zip(&after.columns) {
        match (before, after) {
            (ColumnStore::Cells(before), ColumnStore::Cells(after)) => assert_eq!(before.cells, after.cells),
            (ColumnStore::Attributes(before), ColumnStore::Attributes(after)) => {
                assert_eq!(before.attributes, after.attributes);
            }
            _ => panic!("a column changed its kind"),
        }
    }
}

/// Each record that is left has, read again, what its columns said. (Of other levels, whole entries may be gone.)
fn records_have_their_values(batch: &Batch, walked: &Batch) {
    let live: Vec<usize> = (0..batch.rows()).filter(|&row| batch.is_live(row)).collect();
    for (column, projected) in batch.projection.columns().iter().enumerate() {
        if projected.field.level != Level::Record || !matches!(batch.columns[column], ColumnStore::Cells(_)) {
            continue;
        }
        for (new, &old) in live.iter().enumerate() {
            let (expected, found) = (batch.value(column, old), walked.value(column, new));
            let same = match (expected, found) {
                (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
                // An id that is not valid was taken out.
                (Value::Bytes(_), Value::Bytes([]) | Value::Absent) if !batch.strips.is_empty() => true,
                (a, b) => a == b,
            };
            assert!(same, "{:?}: {expected:?} became {found:?}", projected.field);
        }
    }
}
