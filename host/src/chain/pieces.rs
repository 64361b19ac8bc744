//! Batches in pieces: cut out of one, and joined to one again.
//!
//! A piece is a request of its own, written and walked over again, not the batch with most rows masked: a plugin may
//! look at rows that are not alive, and at resources of which no row is. What earlier stages did is in its bytes, so
//! that the pieces joined are what the batch would be, had it been answered for as a whole: encoded requests one
//! behind the other are one request. Only a resource that lies across a cut comes twice, and with it what the
//! request had beside its records.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::data::batch::Batch;
use crate::data::bitmap::Bitmap;
use crate::data::json::DEPTH_MAX;
use crate::data::projection::Projection;
use crate::data::splice::splice;
use crate::data::walk::{Limits, walk};
use crate::data::wire::Malformed;

/// The request was held to its limits when it came; what stages have added to it is theirs to judge.
const LIMITS: Limits = Limits { value_depth: DEPTH_MAX, attributes: usize::MAX, attribute_bytes: usize::MAX };

/// Cuts a batch in two halves of its live rows. None of less than two rows has halves.
pub(super) fn halves(batch: &mut Batch) -> Option<Result<(Batch, Batch), Malformed>> {
    let live = batch.live_rows();
    if live < 2 {
        return None;
    }
    let middle = middle(batch, live / 2);
    let first = cut(batch, 0..middle)?;
    let second = cut(batch, middle..batch.rows())?;
    let projection = &batch.projection;
    Some(read(first, projection).and_then(|first| Ok((first, read(second, projection)?))))
}

/// The row before which so many rows are alive.
fn middle(batch: &Batch, wanted: usize) -> usize {
    (0..batch.rows()).filter(|row| batch.is_live(*row)).nth(wanted).unwrap_or(batch.rows())
}

/// The request of the live rows of a range; the batch stays as it is.
fn cut(batch: &mut Batch, rows: Range<usize>) -> Option<Bytes> {
    let (live, selected) = (batch.live.clone(), batch.selected);
    let mut keep = Bitmap::empty();
    rows.for_each(|row| keep.insert(row));
    batch.retain(keep.as_bytes());
    let spliced = splice(batch);
    (batch.live, batch.selected) = (live, selected);
    spliced.map(|spliced| spliced.bytes)
}

/// Walks over what the host itself has written. All records go on: they were judged when they came.
fn read(bytes: Bytes, projection: &Arc<Projection>) -> Result<Batch, Malformed> {
    let mut batch = walk(&bytes, projection, LIMITS)?;
    batch.selected = false;
    batch.live = Bitmap::empty();
    batch.rejected.clear();
    Ok(batch)
}

/// One batch of requests, in their order; none of no request.
pub(super) fn join(requests: &[Bytes], projection: &Arc<Projection>) -> Result<Option<Batch>, Malformed> {
    match requests {
        [] => Ok(None),
        [one] => read(one.clone(), projection).map(Some),
        many => {
            let mut joined = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
            many.iter().for_each(|request| joined.extend_from_slice(request));
            read(joined.freeze(), projection).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::data::Signal;
    use crate::data::field::Field;
    use crate::data::split::tests::singles;
    use crate::data::testing::{Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces};

    /// Cuts down to single records, and says how they lie one behind the other.
    fn cut_down(batch: &mut Batch, pieces: &mut Vec<Bytes>) {
        match halves(batch) {
            Some(halves) => {
                let (mut first, mut second) = halves.unwrap();
                assert_eq!(first.rows() + second.rows(), batch.live_rows());
                assert!(first.rows().abs_diff(second.rows()) <= 1);
                cut_down(&mut first, pieces);
                cut_down(&mut second, pieces);
            }
            None => pieces.extend(splice(batch).map(|spliced| spliced.bytes)),
        }
    }

    /// Pieces hold what the batch does, each record in what encloses it, and so does the batch that they are joined to.
    fn holds(signal: Signal, request: Vec<u8>, drops: &[prop::sample::Index], path: &str) {
        let mut projection = Projection::empty(signal);
        projection.add(&Field::resolve(path, signal).unwrap(), false).unwrap();
        let mut batch = walk(&Bytes::from(request), &Arc::new(projection), Limits::default()).unwrap();
        if batch.rows() > 0 {
            drops.iter().for_each(|row| batch.drop_row(row.index(batch.rows())));
        }
        let whole = splice(&batch).map(|spliced| singles(signal, &spliced.bytes)).unwrap_or_default();
        let mut pieces = Vec::new();
        cut_down(&mut batch, &mut pieces);
        assert_eq!(pieces.iter().flat_map(|piece| singles(signal, piece)).collect::<Vec<_>>(), whole);
        let joined = join(&pieces, &batch.projection).unwrap();
        assert_eq!(joined.as_ref().map_or(0, Batch::live_rows), whole.len());
        let joined = joined.as_ref().and_then(splice).map(|spliced| singles(signal, &spliced.bytes));
        assert_eq!(joined.unwrap_or_default(), whole);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn spans_in_pieces_are_the_same_spans(
            request in arbitrary_traces(Shape::WILD), drops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            holds(Signal::Traces, request.encode_to_vec(), &drops, "span.attributes[*]");
        }

        #[test]
        fn points_in_pieces_are_the_same_points(
            request in arbitrary_metrics(Shape::WILD), drops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            holds(Signal::Metrics, request.encode_to_vec(), &drops, "metric.name");
        }

        #[test]
        fn log_records_in_pieces_are_the_same_log_records(
            request in arbitrary_logs(Shape::WILD), drops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            holds(Signal::Logs, request.encode_to_vec(), &drops, "resource.attributes[*]");
        }
    }
}
