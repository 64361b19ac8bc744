//! Which record it was: ids and names, read from the record's own bytes, as no plugin need have asked for them.

use std::ops::Range;

use super::example::Record;
use super::fields::{hex, shortened};
use crate::data::Signal;
use crate::data::batch::{At, Batch};
use crate::data::wire::{Payload, Reader};

/// The numbers of a message's fields, from opentelemetry-proto.
struct Numbers {
    trace_id: u32,
    span_id: u32,
    name: u32,
}

const SPAN: Numbers = Numbers { trace_id: 1, span_id: 2, name: 5 };
const LOG_RECORD: Numbers = Numbers { trace_id: 9, span_id: 10, name: 12 };
const LOG_SEVERITY_NUMBER: u32 = 2;
const LOG_SEVERITY_TEXT: u32 = 3;
const METRIC_NAME: u32 = 1;

impl Record {
    /// The record of a row.
    pub fn of(batch: &Batch, row: usize) -> Record {
        let signal = batch.signal();
        let mut record = Record { signal, trace_id: None, span_id: None, name: None, severity: None };
        let at = batch.layout.records.get(row).copied().unwrap_or_default();
        match signal {
            Signal::Traces => record.read(batch, at, &SPAN),
            Signal::Logs => record.read(batch, at, &LOG_RECORD),
            Signal::Metrics => record.name = metric_name(batch, row),
        }
        record
    }

    fn read(&mut self, batch: &Batch, at: At, numbers: &Numbers) {
        let is_log = self.signal == Signal::Logs;
        let mut severity_number = None;
        for (number, payload) in fields(batch, at) {
            let bytes = || content(batch, payload);
            match number {
                number if number == numbers.trace_id => self.trace_id = some(hex(bytes())),
                number if number == numbers.span_id => self.span_id = some(hex(bytes())),
                number if number == numbers.name => self.name = some(shortened(bytes())),
                LOG_SEVERITY_TEXT if is_log => self.severity = some(shortened(bytes())),
                LOG_SEVERITY_NUMBER if is_log => {
                    if let Payload::Varint(value) = payload {
                        severity_number = Some(value.to_string());
                    }
                }
                _ => {}
            }
        }
        self.severity = self.severity.take().or(severity_number);
    }
}

/// The name of the metric that a data point belongs to.
fn metric_name(batch: &Batch, row: usize) -> Option<String> {
    let metrics = &batch.layout.metrics;
    let after = metrics.partition_point(|metric| metric.first_record as usize <= row);
    let at = metrics.get(after.checked_sub(1)?)?.at;
    let (_, name) = fields(batch, at).find(|(number, _)| *number == METRIC_NAME)?;
    some(shortened(content(batch, name)))
}

/// The fields of an element of the batch; what lies inside them is not looked at.
fn fields(batch: &Batch, at: At) -> impl Iterator<Item = (u32, Payload)> + '_ {
    let element = Reader::within(&batch.bytes, at.start as usize..at.end as usize).field().ok().flatten();
    let inside: Range<usize> = element.and_then(|element| element.content()).unwrap_or(0..0);
    let mut reader = Reader::within(&batch.bytes, inside);
    std::iter::from_fn(move || reader.field().ok().flatten()).map(|field| (field.number, field.payload))
}

fn content(batch: &Batch, payload: Payload) -> &[u8] {
    match payload {
        Payload::Bytes { from, to } => batch.bytes.get(from..to).unwrap_or_default(),
        _ => &[],
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
