//! The walk over metrics of every kind and their data points.

use std::ops::Range;

use super::shape::{
    BUCKETS, EXEMPLAR, EXPONENTIAL_POINT, HISTOGRAM_POINT, METRIC, METRIC_DATA, MessageShape, NUMBER_POINT, QUANTILE,
    SUMMARY_POINT,
};
use super::value::Fields;
use super::{Counted, Walker, once, place};
use crate::data::batch::{At, Envelope, Rejection};
use crate::data::field::Level;
use crate::data::projection::PointKind;
use crate::data::wire::{Field, Malformed, Payload, Reader};

/// A member of `Metric.data`.
struct DataKind {
    name: &'static str,
    point: PointKind,
    shape: &'static MessageShape,
    /// Field number of the points' attributes.
    attributes: u32,
    /// Field number of the points' exemplars; 0 if they have none.
    exemplars: u32,
    has_temporality: bool,
}

static GAUGE: DataKind = DataKind {
    name: "gauge",
    point: PointKind::Number,
    shape: &NUMBER_POINT,
    attributes: 7,
    exemplars: 5,
    has_temporality: false,
};
static SUM: DataKind = DataKind { name: "sum", has_temporality: true, ..GAUGE };
static HISTOGRAM: DataKind = DataKind {
    name: "histogram",
    point: PointKind::Histogram,
    shape: &HISTOGRAM_POINT,
    attributes: 9,
    exemplars: 8,
    has_temporality: true,
};
static EXPONENTIAL: DataKind = DataKind {
    name: "exponential_histogram",
    point: PointKind::Exponential,
    shape: &EXPONENTIAL_POINT,
    attributes: 1,
    exemplars: 11,
    has_temporality: true,
};
static SUMMARY: DataKind = DataKind {
    name: "summary",
    point: PointKind::Summary,
    shape: &SUMMARY_POINT,
    attributes: 7,
    exemplars: 0,
    has_temporality: false,
};

const fn data_kind(number: u32) -> Option<&'static DataKind> {
    match number {
        5 => Some(&GAUGE),
        7 => Some(&SUM),
        9 => Some(&HISTOGRAM),
        10 => Some(&EXPONENTIAL),
        11 => Some(&SUMMARY),
        _ => None,
    }
}

impl Walker<'_> {
    pub(super) fn metric(&mut self, at: At, content: Range<usize>) -> Result<(), Malformed> {
        self.sink.open(Level::Metric);
        let first = self.sink.layout.records.len() as u32;
        let mut inner = At::NOWHERE;
        let mut metadata = Counted::default();
        let mut fault = None;
        let mut fields = Fields::new(self.bytes, content, &METRIC);
        while let Some(field) = fields.next()? {
            match (data_kind(field.number), field.content()) {
                (Some(kind), Some(content)) => {
                    once(&mut inner, &field)?;
                    fault = self.metric_data(kind, content)?;
                }
                (None, Some(content)) if field.number == 12 => {
                    self.attribute(Level::Metric, place(&field), content, &mut metadata)?;
                }
                _ => self.sink.field(Level::Metric, &field),
            }
        }
        self.sink.layout.metrics.push(Envelope { at, inner, first, first_record: first });
        self.sink.close_metric(first);
        self.reject_from(first, fault.or(metadata.fault));
        Ok(())
    }

    fn metric_data(&mut self, kind: &'static DataKind, content: Range<usize>) -> Result<Option<Rejection>, Malformed> {
        let (mut temporality, mut monotonic) = (0i64, false);
        let mut fields = Fields::new(self.bytes, content, &METRIC_DATA);
        while let Some(field) = fields.next()? {
            match (field.number, field.payload) {
                (1, Payload::Bytes { from, to }) => self.point(kind, place(&field), from..to)?,
                (2, Payload::Varint(value)) => temporality = i64::from(value as i32),
                (3, Payload::Varint(value)) => monotonic = value != 0,
                _ => {}
            }
        }
        let is_sum = kind.name == SUM.name;
        self.sink.derive_metric(kind.name, kind.has_temporality.then_some(temporality), is_sum.then_some(monotonic));
        Ok((kind.has_temporality && !matches!(temporality, 1 | 2)).then_some(Rejection::Temporality))
    }

    fn point(&mut self, kind: &'static DataKind, at: At, content: Range<usize>) -> Result<(), Malformed> {
        self.sink.open(Level::Record);
        let row = self.sink.layout.records.len() as u32;
        let mut time = 0;
        let mut tally = Tally::default();
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, kind.shape);
        while let Some(field) = fields.next()? {
            match field.content() {
                Some(content) if field.number == kind.attributes => {
                    self.attribute(Level::Record, place(&field), content, &mut attributes)?;
                    continue;
                }
                Some(content) if field.number == kind.exemplars => self.exemplar(content, &mut attributes)?,
                _ => tally.add(self, kind.point, &field)?,
            }
            if let (3, Payload::Fixed64(value)) = (field.number, field.payload) {
                time = value;
            }
            self.sink.point(kind.point, &field);
        }
        self.sink.derive_point_count(kind.point, tally.count);
        self.sink.layout.records.push(at);
        let fault = match (time, tally.adds_up(kind.point)) {
            (0, _) => Some(Rejection::PointTime),
            (_, false) => Some(Rejection::Buckets),
            _ => attributes.fault,
        };
        self.reject_row(row, fault);
        Ok(())
    }

    fn exemplar(&mut self, content: Range<usize>, counted: &mut Counted) -> Result<(), Malformed> {
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, &EXEMPLAR);
        while let Some(field) = fields.next()? {
            if let (7, Some(content)) = (field.number, field.content()) {
                self.unseen_attribute(content, &mut attributes)?;
            }
        }
        counted.fault = counted.fault.or(attributes.fault);
        Ok(())
    }
}

/// The counts of a histogram's point: they have to add up (metrics.proto, `bucket_counts`).
#[derive(Default)]
struct Tally {
    count: u64,
    zero_count: u64,
    buckets: usize,
    bounds: usize,
    /// Sum of all bucket counts; none if it does not fit.
    sum: Option<u64>,
    overflow: bool,
}

impl Tally {
    fn add(&mut self, walker: &Walker<'_>, kind: PointKind, field: &Field) -> Result<(), Malformed> {
        match (kind, field.number, field.payload) {
            (PointKind::Number, ..) => {}
            (_, 4, Payload::Fixed64(count)) => self.count = count,
            (PointKind::Histogram, 6, Payload::Fixed64(count)) => self.bucket(count),
            (PointKind::Histogram, 6, Payload::Bytes { from, to }) => {
                let mut reader = Reader::within(walker.bytes, from..to);
                while reader.offset() < to {
                    self.bucket(u64::from_le_bytes(reader.fixed()?));
                }
            }
            (PointKind::Histogram, 7, Payload::Fixed64(_)) => self.bounds += 1,
            (PointKind::Histogram, 7, Payload::Bytes { from, to }) => {
                if (to - from) % 8 != 0 {
                    return Err(Malformed { what: "bounds are cut off", at: from });
                }
                self.bounds += (to - from) / 8;
            }
            (PointKind::Exponential, 7, Payload::Fixed64(count)) => self.zero_count = count,
            (PointKind::Exponential, 8 | 9, Payload::Bytes { from, to }) => self.exponential(walker, from..to)?,
            (PointKind::Summary, 6, Payload::Bytes { from, to }) => walker.opaque(from..to, &QUANTILE)?,
            _ => {}
        }
        Ok(())
    }

    fn exponential(&mut self, walker: &Walker<'_>, content: Range<usize>) -> Result<(), Malformed> {
        let mut fields = Fields::new(walker.bytes, content, &BUCKETS);
        while let Some(field) = fields.next()? {
            match (field.number, field.payload) {
                (2, Payload::Varint(count)) => self.bucket(count),
                (2, Payload::Bytes { from, to }) => {
                    let mut reader = Reader::within(walker.bytes, from..to);
                    while reader.offset() < to {
                        self.bucket(reader.varint()?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn bucket(&mut self, count: u64) {
        self.buckets += 1;
        self.sum = self.sum.unwrap_or(0).checked_add(count);
        self.overflow |= self.sum.is_none();
    }

    fn adds_up(&self, kind: PointKind) -> bool {
        let sum = self.sum.unwrap_or(0);
        match kind {
            PointKind::Number | PointKind::Summary => true,
            PointKind::Histogram if self.buckets == 0 => self.bounds == 0,
            PointKind::Histogram => !self.overflow && self.buckets == self.bounds + 1 && sum == self.count,
            PointKind::Exponential => {
                !self.overflow && sum.checked_add(self.zero_count).is_some_and(|sum| sum == self.count)
            }
        }
    }
}
