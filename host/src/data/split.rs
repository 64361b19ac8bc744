//! Cutting an encoded request at record boundaries.
//!
//! Every piece is a request of its own: the envelopes (resource, scope and, for metrics, metric and its kind) are
//! written again around its records, with all their other fields as they came, unknown ones included. Pieces are
//! made one at a time, when they are asked for, because a large resource is repeated in each of them. Envelopes
//! without records are left out.

use std::ops::Range;

use bytes::Bytes;

use super::Signal;
use super::payload::Payload;
use super::wire::{Field, Malformed, Reader, put_bytes_field, varint_len};

/// How large a piece may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records of one piece; 0: any number.
    pub records: u64,
    /// Bytes of one piece; 0: any number.
    pub bytes: usize,
}

impl Limits {
    /// Whether so many records and bytes may go in one request.
    pub fn allow(&self, records: u64, bytes: usize) -> bool {
        (self.records == 0 || records <= self.records) && (self.bytes == 0 || bytes <= self.bytes)
    }
}

/// The pieces of one request, in order. Ends after the first malformed one.
#[derive(Debug)]
pub struct Split {
    signal: Signal,
    bytes: Bytes,
    limits: Limits,
    /// The messages that enclose the place that is read, the request first. At most five.
    levels: Vec<Level>,
    /// How many of the levels the piece has opened already.
    open: usize,
    /// Records of the piece.
    records: u64,
    /// A record that was read but did not fit in the last piece.
    held: Option<Range<usize>>,
    too_large: u64,
}

/// A message that is being cut.
#[derive(Debug)]
struct Level {
    /// Its field number in the level above.
    number: u32,
    /// Its fields that are neither records nor envelopes, verbatim: repeated in each piece.
    own: Vec<u8>,
    /// What the piece has of it so far; meaningful while the level is open.
    body: Vec<u8>,
    /// What is still to be read of it.
    rest: Range<usize>,
}

/// What a field is to the cut.
enum Part {
    Envelope,
    Record,
    Own,
}

impl Split {
    /// Cuts `payload`. Without limits the answer is one piece, without its empty envelopes.
    pub fn new(payload: &Payload, limits: Limits) -> Result<Self, Malformed> {
        let rest = 0..payload.bytes.len();
        let own = own_fields(payload.signal, 0, &payload.bytes, rest.clone())?;
        Ok(Split {
            signal: payload.signal,
            bytes: payload.bytes.clone(),
            limits,
            levels: vec![Level { number: 0, own, body: Vec::new(), rest }],
            open: 0,
            records: 0,
            held: None,
            too_large: 0,
        })
    }

    /// Records that were left out so far, since each was over the byte limit alone.
    pub fn too_large(&self) -> u64 {
        self.too_large
    }

    fn piece(&mut self) -> Result<Option<Payload>, Malformed> {
        if let Some(record) = self.held.take() {
            self.add(record);
        }
        while let Some(level) = self.levels.last_mut() {
            let mut reader = Reader::within(&self.bytes, level.rest.clone());
            let field = reader.field()?;
            level.rest.start = reader.offset();
            let depth = self.levels.len() - 1;
            let Some(field) = field else {
                if depth == 0 {
                    return Ok((self.records > 0).then(|| self.close()));
                }
                self.leave(depth);
                continue;
            };
            match (part(self.signal, depth, &field), field.content()) {
                (Part::Envelope, Some(rest)) => {
                    let own = own_fields(self.signal, depth + 1, &self.bytes, rest.clone())?;
                    self.levels.push(Level { number: field.number, own, body: Vec::new(), rest });
                }
                (Part::Record, _) => {
                    let record = field.start..field.end;
                    if self.records > 0 && !self.fits(record.len()) {
                        self.held = Some(record);
                        return Ok(Some(self.close()));
                    }
                    self.add(record);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Leaves the innermost level, which lies at `depth` and is read to its end.
    fn leave(&mut self, depth: usize) {
        let Some(level) = self.levels.pop().filter(|_| depth < self.open) else { return };
        self.open = depth;
        if let Some(parent) = self.levels.last_mut() {
            put_bytes_field(&mut parent.body, level.number, &level.body);
        }
    }

    fn fits(&self, record: usize) -> bool {
        self.limits.allow(self.records + 1, self.size_with(record))
    }

    /// The size of the piece if it ended after `record` more bytes.
    fn size_with(&self, record: usize) -> usize {
        let mut size = record;
        for (depth, level) in self.levels.iter().enumerate().rev() {
            size += if depth < self.open { level.body.len() } else { level.own.len() };
            if depth > 0 {
                size += varint_len(u64::from(level.number) << 3) + varint_len(size as u64);
            }
        }
        size
    }

    /// Adds a record to the piece, opening what encloses it.
    fn add(&mut self, record: Range<usize>) {
        if !self.fits(record.len()) {
            self.too_large += 1;
            return;
        }
        for level in self.levels.iter_mut().skip(self.open) {
            level.body.clone_from(&level.own);
        }
        self.open = self.levels.len();
        self.records += 1;
        if let (Some(level), Some(bytes)) = (self.levels.last_mut(), self.bytes.get(record)) {
            level.body.extend_from_slice(bytes);
        }
    }

    /// Ends the piece: closes what is open, from the inside out.
    fn close(&mut self) -> Payload {
        let mut inner: Option<(u32, Vec<u8>)> = None;
        for level in self.levels.iter_mut().take(self.open).rev() {
            let mut body = std::mem::take(&mut level.body);
            if let Some((number, content)) = inner.take() {
                put_bytes_field(&mut body, number, &content);
            }
            inner = Some((level.number, body));
        }
        self.open = 0;
        let records = std::mem::take(&mut self.records);
        let bytes = inner.map(|(_, body)| body).unwrap_or_default();
        Payload { signal: self.signal, bytes: bytes.into(), records }
    }
}

impl Iterator for Split {
    type Item = Result<Payload, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece();
        if piece.is_err() {
            self.levels.clear();
        }
        piece.transpose()
    }
}

/// What a field of a message at `depth` is (opentelemetry-proto: the request, `Resource…`, `Scope…`, then
/// for metrics `Metric` and its kind).
fn part(signal: Signal, depth: usize, field: &Field) -> Part {
    if field.content().is_none() {
        return Part::Own;
    }
    match (signal, depth, field.number) {
        (_, 0, 1) | (_, 1, 2) | (Signal::Metrics, 2, 2) | (Signal::Metrics, 3, 5 | 7 | 9 | 10 | 11) => Part::Envelope,
        (Signal::Traces | Signal::Logs, 2, 2) | (Signal::Metrics, 4, 1) => Part::Record,
        _ => Part::Own,
    }
}

fn own_fields(signal: Signal, depth: usize, bytes: &[u8], range: Range<usize>) -> Result<Vec<u8>, Malformed> {
    let mut own = Vec::new();
    let mut reader = Reader::within(bytes, range);
    while let Some(field) = reader.field()? {
        if let Part::Own = part(signal, depth, &field) {
            own.extend_from_slice(bytes.get(field.start..field.end).unwrap_or_default());
        }
    }
    Ok(own)
}

#[cfg(test)]
pub(crate) mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::data::testing::{Items, Keys, Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces};

    const SHAPE: Shape = Shape { items: Items::Any, keys: Keys::Repeated };

    /// Each record of a request with everything that encloses it, as a request of its own.
    pub(crate) fn singles(signal: Signal, bytes: &[u8]) -> Vec<Vec<u8>> {
        match signal {
            Signal::Traces => trace_singles(&ExportTraceServiceRequest::decode(bytes).unwrap()),
            Signal::Metrics => metric_singles(&ExportMetricsServiceRequest::decode(bytes).unwrap()),
            Signal::Logs => log_singles(&ExportLogsServiceRequest::decode(bytes).unwrap()),
        }
    }

    fn trace_singles(request: &ExportTraceServiceRequest) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for resource in &request.resource_spans {
            for scope in &resource.scope_spans {
                for span in &scope.spans {
                    let mut one = resource.clone();
                    one.scope_spans = vec![scope.clone()];
                    one.scope_spans[0].spans = vec![span.clone()];
                    all.push(ExportTraceServiceRequest { resource_spans: vec![one] }.encode_to_vec());
                }
            }
        }
        all
    }

    fn log_singles(request: &ExportLogsServiceRequest) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for resource in &request.resource_logs {
            for scope in &resource.scope_logs {
                for record in &scope.log_records {
                    let mut one = resource.clone();
                    one.scope_logs = vec![scope.clone()];
                    one.scope_logs[0].log_records = vec![record.clone()];
                    all.push(ExportLogsServiceRequest { resource_logs: vec![one] }.encode_to_vec());
                }
            }
        }
        all
    }

    fn metric_singles(request: &ExportMetricsServiceRequest) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for resource in &request.resource_metrics {
            for scope in &resource.scope_metrics {
                for metric in &scope.metrics {
                    for data in point_singles(metric.data.as_ref()) {
                        let mut one = resource.clone();
                        one.scope_metrics = vec![scope.clone()];
                        one.scope_metrics[0].metrics = vec![metric.clone()];
                        one.scope_metrics[0].metrics[0].data = Some(data);
                        all.push(ExportMetricsServiceRequest { resource_metrics: vec![one] }.encode_to_vec());
                    }
                }
            }
        }
        all
    }

    fn point_singles(data: Option<&Data>) -> Vec<Data> {
        macro_rules! points {
            ($kind:path, $data:expr) => {{
                let one = |point: &_| {
                    let mut one = $data.clone();
                    one.data_points = vec![Clone::clone(point)];
                    $kind(one)
                };
                $data.data_points.iter().map(one).collect()
            }};
        }
        match data {
            None => Vec::new(),
            Some(Data::Gauge(data)) => points!(Data::Gauge, data),
            Some(Data::Sum(data)) => points!(Data::Sum, data),
            Some(Data::Histogram(data)) => points!(Data::Histogram, data),
            Some(Data::ExponentialHistogram(data)) => points!(Data::ExponentialHistogram, data),
            Some(Data::Summary(data)) => points!(Data::Summary, data),
        }
    }

    fn holds(signal: Signal, bytes: Vec<u8>, limits: Limits) {
        let whole = singles(signal, &bytes);
        let payload = Payload { signal, bytes: bytes.into(), records: whole.len() as u64 };
        let mut split = Split::new(&payload, limits).unwrap();
        let mut pieces = Vec::new();
        for piece in &mut split {
            let piece = piece.unwrap();
            assert!(limits.allow(piece.records, piece.bytes.len()), "{} bytes", piece.bytes.len());
            let inside = singles(signal, &piece.bytes);
            assert_eq!(inside.len() as u64, piece.records);
            assert!(piece.records > 0);
            pieces.extend(inside);
        }
        let fitting: Vec<_> = whole.iter().filter(|one| limits.allow(1, one.len())).cloned().collect();
        assert_eq!(split.too_large(), (whole.len() - fitting.len()) as u64);
        assert_eq!(pieces, fitting);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pieces_hold_the_same_spans_in_order(
            request in arbitrary_traces(SHAPE), records in 0u64..6, bytes in prop_oneof![Just(0usize), 1usize..2000],
        ) {
            holds(Signal::Traces, request.encode_to_vec(), Limits { records, bytes });
        }

        #[test]
        fn pieces_hold_the_same_points_in_order(
            request in arbitrary_metrics(SHAPE), records in 0u64..6, bytes in prop_oneof![Just(0usize), 1usize..2000],
        ) {
            holds(Signal::Metrics, request.encode_to_vec(), Limits { records, bytes });
        }

        #[test]
        fn pieces_hold_the_same_log_records_in_order(
            request in arbitrary_logs(SHAPE), records in 0u64..6, bytes in prop_oneof![Just(0usize), 1usize..2000],
        ) {
            holds(Signal::Logs, request.encode_to_vec(), Limits { records, bytes });
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), records in 0u64..3) {
            for signal in Signal::ALL {
                let payload = Payload { signal, bytes: bytes.clone().into(), records: 0 };
                if let Ok(split) = Split::new(&payload, Limits { records, bytes: 64 }) {
                    let pieces = split.count();
                    prop_assert!(pieces <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn unknown_fields_of_envelopes_come_with_each_piece() {
        // request { 1: resource { 2: scope { 2: "a", 2: "b", 9: "x" }, 9: "y" }, 9: "z" }
        let bytes = [0x0a, 14, 0x12, 9, 0x12, 1, 97, 0x12, 1, 98, 0x4a, 1, 120, 0x4a, 1, 121, 0x4a, 1, 122];
        let payload = Payload { signal: Signal::Logs, bytes: Bytes::from_static(&[]), records: 2 };
        let payload = Payload { bytes: bytes.to_vec().into(), ..payload };
        let pieces: Vec<_> =
            Split::new(&payload, Limits { records: 1, bytes: 0 }).unwrap().map(Result::unwrap).collect();
        let piece = |record: u8| vec![0x4a, 1, 122, 0x0a, 11, 0x4a, 1, 121, 0x12, 6, 0x4a, 1, 120, 0x12, 1, record];
        assert_eq!(pieces.iter().map(|piece| piece.bytes.to_vec()).collect::<Vec<_>>(), [piece(97), piece(98)]);
    }

    #[test]
    fn e31_no_piece_has_an_envelope_without_records() {
        // Resources and scopes, some of them with attributes or names, around "a" and "b".
        let (empty_scope, named_scope) = ([0x12, 0].as_slice(), [0x12, 3, 0x1a, 1, 115].as_slice());
        let full_scope = |record: u8| vec![0x12, 3, 0x12, 1, record];
        let resource = |content: Vec<u8>| [vec![0x0a, content.len() as u8], content].concat();
        let bytes = [
            resource(vec![]),
            resource([empty_scope, &full_scope(97), named_scope].concat()),
            resource(named_scope.to_vec()),
            resource([named_scope, &full_scope(98)].concat()),
        ];
        let payload = Payload { signal: Signal::Traces, bytes: bytes.concat().into(), records: 2 };
        let pieces = Split::new(&payload, Limits { records: 1, bytes: 0 }).unwrap();
        let pieces: Vec<_> = pieces.map(|piece| piece.unwrap().bytes).collect();
        assert_eq!(pieces, [resource(full_scope(97)), resource(full_scope(98))]);
    }
}
