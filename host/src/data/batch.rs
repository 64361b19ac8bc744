//! A request in flight: its bytes as they came, where its records lie, its columns, and what plugins decided so far.

use std::sync::Arc;

use bytes::Bytes;

use super::Signal;
use super::bitmap::Bitmap;
use super::column::{Attributes, Cells, Column, Kind, Links, View};
use super::field::Level;
use super::projection::Projection;

/// Where an element lies in the request: from its tag to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Offset of the tag.
    pub start: u32,
    /// Offset one past the element.
    pub end: u32,
}

impl At {
    /// Not in the request. No element that may be edited lies at its very beginning, so this is never a place.
    pub const NOWHERE: At = At { start: 0, end: 0 };

    /// Whether the element is in the request.
    pub const fn is_somewhere(self) -> bool {
        self.end != 0
    }

    /// Bytes that the element takes.
    pub const fn len(self) -> u32 {
        self.end - self.start
    }

    /// Whether the element takes no bytes: only [`At::NOWHERE`] does.
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }
}

/// A message that holds others: `ResourceSpans`, `ScopeSpans`, `Metric` and their likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Where it lies.
    pub at: At,
    /// Where the message inside that its own level's fields belong to lies: `Resource`, `InstrumentationScope`; for a
    /// metric the message that holds the points (`Gauge`, `Sum`, …), as a metric's own fields lie in the envelope.
    pub inner: At,
    /// Position of the first envelope or record of the next level below.
    pub first: u32,
    /// Position of its first record.
    pub first_record: u32,
}

/// Where everything lies.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`; what is below is a scope.
    pub resources: Vec<Envelope>,
    /// `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`; what is below is a record, in metrics a metric.
    pub scopes: Vec<Envelope>,
    /// `Metric`; what is below is a record.
    pub metrics: Vec<Envelope>,
    /// Spans, data points or log records.
    pub records: Vec<At>,
    /// For each record the place of its `Status`, if the projection has fields of it.
    pub statuses: Vec<At>,
    /// Span events, if the projection has fields of them.
    pub events: Vec<At>,
    /// Span links, if the projection has fields of them.
    pub links: Vec<At>,
}

/// The relations between levels, as plugins are given them; those of levels without columns are empty.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    /// For each record, its resource.
    pub resource_of: Vec<u32>,
    /// For each record, its scope.
    pub scope_of: Vec<u32>,
    /// For each data point, its metric.
    pub metric_of: Vec<u32>,
    /// For each span event, its span.
    pub event_record: Vec<u32>,
    /// For each span link, its span.
    pub link_record: Vec<u32>,
}

/// A column of a batch: the values, and what is needed to write edits of them.
#[derive(Clone, Debug)]
pub enum ColumnStore {
    /// One value an entry.
    Cells(CellColumn),
    /// All attributes of each entry.
    Attributes(AttributeColumn),
}

/// One value an entry.
#[derive(Clone, Debug)]
pub struct CellColumn {
    /// The values, as edited.
    pub cells: Cells,
    /// Whether `places` is kept: some stage may edit the field.
    pub tracked: bool,
    /// Kind of a cell whose field is not in the request; its word is 0.
    pub default: Kind,
    /// Where each value lies, if the field is tracked.
    pub places: Vec<At>,
    /// Further places of the same field: repeated keys, repeated scalars. Rare.
    pub repeats: Vec<(u32, At)>,
    /// Entries that were edited.
    pub edited: Bitmap,
}

/// All attributes of each entry.
#[derive(Clone, Debug, Default)]
pub struct AttributeColumn {
    /// The attributes, as edited.
    pub attributes: Attributes,
    /// Whether `places` is kept: some stage may edit the attributes.
    pub tracked: bool,
    /// Where each attribute lies, if the field is tracked; [`At::NOWHERE`] for one that was added.
    pub places: Vec<At>,
    /// For each attribute whether it was set by an edit; empty until one was.
    pub set: Vec<bool>,
    /// Places of attributes that were deleted, with their entry.
    pub cuts: Vec<(u32, At)>,
    /// Entries that were edited.
    pub edited: Bitmap,
}

/// Why a record was rejected for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts say it")]
pub enum Rejection {
    #[error("trace_id must be 16 bytes, not all of them zero")]
    TraceId,
    #[error("span_id must be 8 bytes, not all of them zero")]
    SpanId,
    #[error("parent_span_id must be empty or 8 bytes")]
    ParentSpanId,
    #[error("a data point must have a time")]
    PointTime,
    #[error("aggregation_temporality must be delta or cumulative")]
    Temporality,
    #[error("bucket counts must fit the bounds and add up to the count")]
    Buckets,
    #[error("more attributes than max_attributes allows")]
    AttributeCount,
    #[error("an attribute is larger than max_attribute_bytes")]
    AttributeBytes,
}

/// A request in flight.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What was looked for.
    pub projection: Arc<Projection>,
    /// The request as it came.
    pub bytes: Bytes,
    /// Where everything lies.
    pub layout: Layout,
    /// How the levels belong together.
    pub relations: Relations,
    /// One column for each field of the projection.
    pub columns: Vec<ColumnStore>,
    /// Rows that go on; meaningful if `selected`.
    pub live: Bitmap,
    /// Whether any row was dropped or rejected.
    pub selected: bool,
    /// Rows that the walk rejected, ascending.
    pub rejected: Vec<(u32, Rejection)>,
    /// Elements of records that are taken out, whatever plugins say: invalid ids of log records. Ascending by row.
    pub strips: Vec<(u32, At)>,
}

impl Batch {
    /// The signal of the request.
    pub fn signal(&self) -> Signal {
        self.projection.signal()
    }

    /// Records of the request, dropped ones included.
    pub fn rows(&self) -> usize {
        self.layout.records.len()
    }

    /// Records that go on.
    pub fn live_rows(&self) -> usize {
        if self.selected { self.live.count() } else { self.rows() }
    }

    /// Whether a row goes on.
    pub fn is_live(&self, row: usize) -> bool {
        !self.selected || self.live.contains(row)
    }

    /// Drops every row whose bit is clear in `keep`; bits of rows that are dropped already do not matter.
    pub fn retain(&mut self, keep: &[u8]) {
        if self.selected || !all_ones(keep, self.rows()) {
            self.ensure_selection();
            self.live.intersect(keep);
        }
    }

    /// Drops one row.
    pub fn drop_row(&mut self, row: usize) {
        self.ensure_selection();
        self.live.remove(row);
    }

    fn ensure_selection(&mut self) {
        if !self.selected {
            self.selected = true;
            self.live = Bitmap::ones(self.rows());
        }
    }

    /// How many entries a level has.
    pub fn entries(&self, level: Level) -> usize {
        match level {
            Level::Resource => self.layout.resources.len(),
            Level::Scope => self.layout.scopes.len(),
            Level::Metric => self.layout.metrics.len(),
            Level::Record => self.layout.records.len(),
            Level::Event => self.layout.events.len(),
            Level::Link => self.layout.links.len(),
        }
    }

    /// What a plugin that reads `fields` (positions in the projection) is given: relations, too, only of levels that it
    /// reads, though other stages of the chain may read more.
    pub fn view(&self, fields: &[usize]) -> View<'_> {
        let relations = &self.relations;
        let level_of = |field: &usize| self.projection.columns().get(*field).map(|projected| projected.field.level);
        let is_read = |level| fields.iter().any(|field| level_of(field) == Some(level));
        let of = |level, relation| -> &[u32] { if is_read(level) { relation } else { &[] } };
        View {
            rows: self.rows() as u32,
            live: if self.selected { self.live.as_bytes() } else { &[] },
            links: Links {
                resource_of: of(Level::Resource, &relations.resource_of),
                scope_of: of(Level::Scope, &relations.scope_of),
                metric_of: of(Level::Metric, &relations.metric_of),
                event_record: of(Level::Event, &relations.event_record),
                link_record: of(Level::Link, &relations.link_record),
            },
            columns: fields.iter().filter_map(|field| self.columns.get(*field)).map(ColumnStore::column).collect(),
        }
    }
}

/// Whether the first `len` bits are set: a filter that drops nothing leaves the batch without a selection.
fn all_ones(bits: &[u8], len: usize) -> bool {
    let whole = bits.iter().take(len / 8).all(|byte| *byte == 0xff);
    let rest = (1u16 << (len % 8)) - 1;
    whole
        && bits.len() >= len / 8
        && (rest == 0 || bits.get(len / 8).is_some_and(|byte| u16::from(*byte) & rest == rest))
}

impl ColumnStore {
    /// The values, for a plugin.
    pub fn column(&self) -> Column<'_> {
        match self {
            ColumnStore::Cells(store) => Column::Cells(&store.cells),
            ColumnStore::Attributes(store) => Column::Attributes(&store.attributes),
        }
    }
}
