//! Between cells and Rust's types.

use std::time::Duration;

use crate::value::{Cell, keep_slice, kind};
use crate::{OwnedValue, SpanId, Time, TraceId, Value};

/// A type that a cell can be read as. A cell of another kind reads as nothing: `None` in an `Option`, the type's
/// default otherwise.
pub trait FromCell<'a>: Default {
    /// The value, if the cell has one of this type.
    fn from_cell(cell: Cell<'a>) -> Option<Self>;
}

macro_rules! from_cell {
    ($($type:ty: $cell:ident => $read:expr;)*) => {$(
        impl<'a> FromCell<'a> for $type {
            #[inline]
            fn from_cell($cell: Cell<'a>) -> Option<Self> { $read }
        }
    )*};
}

from_cell! {
    &'a str: cell => cell.text();
    &'a [u8]: cell => if cell.kind == kind::BYTES { cell.slice() } else { None };
    bool: cell => (cell.kind == kind::BOOL).then_some(cell.word != 0);
    i64: cell => (cell.kind == kind::INT).then_some(cell.word as i64);
    u64: cell => if cell.kind == kind::INT { u64::try_from(cell.word as i64).ok() } else { None };
    // Data points and attributes say 3 where they could say 3.0: a double takes both.
    f64: cell => match cell.kind {
        kind::DOUBLE => Some(f64::from_bits(cell.word)),
        kind::INT => Some(cell.word as i64 as f64),
        _ => None,
    };
    // A span that ends before it starts has a negative duration: none at all.
    Duration: cell => u64::from_cell(cell).map(Duration::from_nanos);
    Time: cell => u64::from_cell(cell).map(Time);
    TraceId: cell => <&[u8]>::from_cell(cell).and_then(|id| id.try_into().ok()).map(TraceId);
    SpanId: cell => <&[u8]>::from_cell(cell).and_then(|id| id.try_into().ok()).map(SpanId);
    Value<'a>: cell => if cell.kind == kind::ABSENT { None } else { Some(cell.value()) };
}

/// A type that a field can be set to. `None` and [`Value::Absent`] delete the field.
pub trait ToCell {
    /// Stores the value: its kind and word, as the interface numbers them; bytes go to the end of `data`. For a type of
    /// your own, call this on one that has it.
    fn store(self, data: &mut Vec<u8>) -> (u8, u64);
}

macro_rules! to_cell {
    ($($type:ty: |$value:ident, $data:ident| $store:expr;)*) => {$(
        impl ToCell for $type {
            #[inline]
            #[allow(unused_variables)]
            fn store(self, $data: &mut Vec<u8>) -> (u8, u64) { let $value = self; $store }
        }
    )*};
}

to_cell! {
    &str: |text, data| (kind::TEXT, keep_slice(data, text.as_bytes()));
    &String: |text, data| text.as_str().store(data);
    String: |text, data| text.as_str().store(data);
    &[u8]: |bytes, data| (kind::BYTES, keep_slice(data, bytes));
    bool: |bool, data| (kind::BOOL, u64::from(bool));
    i64: |int, data| (kind::INT, int as u64);
    i32: |int, data| i64::from(int).store(data);
    u32: |int, data| i64::from(int).store(data);
    f64: |double, data| (kind::DOUBLE, double.to_bits());
    // OTLP has no unsigned integers: what is larger than i64::MAX is set to that.
    u64: |int, data| i64::try_from(int).unwrap_or(i64::MAX).store(data);
    Duration: |duration, data| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).store(data);
    Time: |time, data| time.0.store(data);
    TraceId: |id, data| id.0.as_slice().store(data);
    SpanId: |id, data| id.0.as_slice().store(data);
    &OwnedValue: |value, data| {
        let encoded;
        match value {
            OwnedValue::Array(_) => { encoded = value.encode(); (kind::ARRAY, keep_slice(data, &encoded)) }
            OwnedValue::KvList(_) => { encoded = value.encode(); (kind::KV_LIST, keep_slice(data, &encoded)) }
            OwnedValue::Absent => (kind::ABSENT, 0),
            OwnedValue::Empty => (kind::EMPTY, 0),
            OwnedValue::Text(text) => text.store(data),
            OwnedValue::Bool(bool) => bool.store(data),
            OwnedValue::Int(int) => int.store(data),
            OwnedValue::Double(double) => double.store(data),
            OwnedValue::Bytes(bytes) => bytes.as_slice().store(data),
        }
    };
    OwnedValue: |value, data| (&value).store(data);
    Value<'_>: |value, data| match value {
        Value::Absent => (kind::ABSENT, 0),
        Value::Empty => (kind::EMPTY, 0),
        Value::Text(text) => text.store(data),
        Value::Bool(bool) => bool.store(data),
        Value::Int(int) => int.store(data),
        Value::Double(double) => double.store(data),
        Value::Bytes(bytes) => bytes.store(data),
        Value::Array(array) => (kind::ARRAY, keep_slice(data, array.as_encoded())),
        Value::KvList(list) => (kind::KV_LIST, keep_slice(data, list.as_encoded())),
    };
}

impl<T: ToCell> ToCell for Option<T> {
    #[inline]
    fn store(self, data: &mut Vec<u8>) -> (u8, u64) {
        self.map_or((kind::ABSENT, 0), |value| value.store(data))
    }
}
