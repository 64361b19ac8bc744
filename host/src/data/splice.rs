//! The splice: writes what is left of a request after selection and edits.
//!
//! The result is the original bytes with a sorted list of patches applied: elements cut out, values put in, and the
//! lengths of the messages around them corrected. Everything between two patches is copied as it came, so unknown
//! fields survive; a request without patches is not copied at all.

mod encode;
mod patches;

use bytes::Bytes;

use self::patches::Patches;
use super::Signal;
use super::batch::{At, Batch, Envelope};
use super::bitmap::Bitmap;
use super::field::Level;

/// What is left of a request: at least one record.
#[derive(Clone, Debug)]
pub struct Spliced {
    /// An encoded request.
    pub bytes: Bytes,
    /// How many records it holds.
    pub records: u64,
}

/// Writes the result of a batch; none if no record is left.
pub fn splice(batch: &Batch) -> Option<Spliced> {
    let records = batch.live_rows() as u64;
    if records == 0 {
        return None;
    }
    let splicer = Splicer::new(batch);
    if splicer.nothing_changed() {
        return Some(Spliced { bytes: batch.bytes.clone(), records });
    }
    Some(Spliced { bytes: splicer.run(), records })
}

/// Entries of each level that were edited; empty bitmaps where none was.
struct Touched {
    resources: Bitmap,
    scopes: Bitmap,
    metrics: Bitmap,
    records: Bitmap,
    events: Bitmap,
    links: Bitmap,
}

impl Touched {
    fn new(batch: &Batch) -> Self {
        let of = |level| {
            let mut touched = Bitmap::empty();
            for &column in &batch.projection.level(level).columns {
                if let Some(store) = batch.columns.get(usize::from(column)) {
                    touched.union(store.edited());
                }
            }
            touched
        };
        let mut touched = Touched {
            resources: of(Level::Resource),
            scopes: of(Level::Scope),
            metrics: of(Level::Metric),
            records: of(Level::Record),
            events: of(Level::Event),
            links: of(Level::Link),
        };
        touched.records_above(&batch.relations.event_record, Level::Event);
        touched.records_above(&batch.relations.link_record, Level::Link);
        batch.strips.iter().for_each(|(row, _)| touched.records.insert(*row as usize));
        touched
    }

    /// A record is touched if something inside it is.
    fn records_above(&mut self, record_of: &[u32], level: Level) {
        let inner = if level == Level::Event { &self.events } else { &self.links };
        let rows: Vec<u32> = inner.iter().filter_map(|entry| record_of.get(entry).copied()).collect();
        rows.into_iter().for_each(|row| self.records.insert(row as usize));
    }

    fn is_empty(&self) -> bool {
        [&self.resources, &self.scopes, &self.metrics, &self.records].into_iter().all(Bitmap::is_empty)
    }
}

/// The walk over the layout that makes the patches. Patches of what lies inside an element are made before those of
/// the element itself, so that of several insertions at one place the inner ones come first.
struct Splicer<'a> {
    batch: &'a Batch,
    touched: Touched,
    patches: Patches<'a>,
    /// Positions of the next event, link and strip that were not looked at yet.
    event: usize,
    link: usize,
    strip: usize,
}

impl<'a> Splicer<'a> {
    fn new(batch: &'a Batch) -> Self {
        let touched = Touched::new(batch);
        Splicer { batch, touched, patches: Patches::new(batch), event: 0, link: 0, strip: 0 }
    }

    fn nothing_changed(&self) -> bool {
        !self.batch.selected && self.touched.is_empty()
    }

    fn run(mut self) -> Bytes {
        let layout = &self.batch.layout;
        let mut delta = 0;
        for (index, resource) in layout.resources.iter().enumerate() {
            let next = layout.resources.get(index + 1);
            let scopes = resource.first as usize..next.map_or(layout.scopes.len(), |next| next.first as usize);
            delta += self.resource(index, resource, scopes, self.record_end(next));
        }
        self.patches.write(delta)
    }

    fn record_end(&self, next: Option<&Envelope>) -> usize {
        next.map_or(self.batch.layout.records.len(), |next| next.first_record as usize)
    }

    /// Whether an envelope had records and none of them is left (E31). One that came empty stays.
    fn is_emptied(&self, envelope: &Envelope, record_end: usize) -> bool {
        let first = envelope.first_record as usize;
        first < record_end && self.batch.selected && self.batch.live.count_within(first, record_end) == 0
    }

    fn resource(
        &mut self,
        index: usize,
        resource: &Envelope,
        scopes: std::ops::Range<usize>,
        record_end: usize,
    ) -> i64 {
        if self.is_emptied(resource, record_end) {
            return self.patches.cut(resource.at);
        }
        let layout = &self.batch.layout;
        let mut delta = 0;
        for index in scopes.clone() {
            let Some(scope) = layout.scopes.get(index) else { continue };
            let end = match layout.scopes.get(index + 1) {
                Some(next) if index + 1 < scopes.end => next.first_record as usize,
                _ => record_end,
            };
            delta += self.scope(index, scope, end);
        }
        if self.touched.resources.contains(index) {
            delta += self.patches.inner(Level::Resource, index, resource);
        }
        self.patches.resize(resource.at, delta)
    }

    fn scope(&mut self, index: usize, scope: &Envelope, record_end: usize) -> i64 {
        if self.is_emptied(scope, record_end) {
            return self.patches.cut(scope.at);
        }
        let layout = &self.batch.layout;
        let mut delta = 0;
        if self.batch.signal() == Signal::Metrics {
            let metric_end = layout.scopes.get(index + 1).map_or(layout.metrics.len(), |next| next.first as usize);
            for index in scope.first as usize..metric_end {
                let Some(metric) = layout.metrics.get(index) else { continue };
                let end = match layout.metrics.get(index + 1) {
                    Some(next) if index + 1 < metric_end => next.first_record as usize,
                    _ => record_end,
                };
                delta += self.metric(index, metric, end);
            }
        } else {
            delta += self.records(scope.first_record as usize, record_end, None);
        }
        if self.touched.scopes.contains(index) {
            delta += self.patches.inner(Level::Scope, index, scope);
        }
        self.patches.resize(scope.at, delta)
    }

    fn metric(&mut self, index: usize, metric: &Envelope, record_end: usize) -> i64 {
        if self.is_emptied(metric, record_end) {
            return self.patches.cut(metric.at);
        }
        let points = self.records(metric.first_record as usize, record_end, Some(metric.inner));
        let mut delta = if metric.inner.is_somewhere() { self.patches.resize(metric.inner, points) } else { points };
        if self.touched.metrics.contains(index) {
            delta += self.patches.entry(Level::Metric, index, metric.at.end, None);
        }
        self.patches.resize(metric.at, delta)
    }

    fn records(&mut self, from: usize, to: usize, data: Option<At>) -> i64 {
        let mut delta = 0;
        for row in from..to {
            let Some(&at) = self.batch.layout.records.get(row) else { continue };
            if !self.batch.is_live(row) {
                delta += self.patches.cut(at);
            } else if self.touched.records.contains(row) {
                delta += self.record(row, at, data);
            }
        }
        delta
    }

    fn record(&mut self, row: usize, at: At, data: Option<At>) -> i64 {
        let mark = self.patches.open(at);
        let mut delta = self.events(row) + self.links(row);
        delta += self.patches.status(row, at.end);
        while let Some(&(strip_row, place)) = self.batch.strips.get(self.strip) {
            if strip_row as usize > row {
                break;
            }
            self.strip += 1;
            if strip_row as usize == row {
                delta += self.patches.cut(place);
            }
        }
        delta += self.patches.entry(Level::Record, row, at.end, data);
        self.patches.close(mark, at, delta)
    }

    fn events(&mut self, row: usize) -> i64 {
        let batch = self.batch;
        let (records, places) = (&batch.relations.event_record, &batch.layout.events);
        self.event += records.iter().skip(self.event).take_while(|record| (**record as usize) < row).count();
        let mut delta = 0;
        while let (Some(&record), Some(&at)) = (records.get(self.event), places.get(self.event))
            && record as usize == row
        {
            if self.touched.events.contains(self.event) {
                let inside = self.patches.entry(Level::Event, self.event, at.end, None);
                delta += self.patches.resize(at, inside);
            }
            self.event += 1;
        }
        delta
    }

    fn links(&mut self, row: usize) -> i64 {
        let batch = self.batch;
        let (records, places) = (&batch.relations.link_record, &batch.layout.links);
        self.link += records.iter().skip(self.link).take_while(|record| (**record as usize) < row).count();
        let mut delta = 0;
        while let (Some(&record), Some(&at)) = (records.get(self.link), places.get(self.link))
            && record as usize == row
        {
            if self.touched.links.contains(self.link) {
                let inside = self.patches.entry(Level::Link, self.link, at.end, None);
                delta += self.patches.resize(at, inside);
            }
            self.link += 1;
        }
        delta
    }
}
