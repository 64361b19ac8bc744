//! The walk over spans, their events, links and status.

use std::ops::Range;

use super::shape::{EVENT, LINK, SPAN, STATUS};
use super::value::Fields;
use super::{Counted, Walker, once, place};
use crate::data::batch::{At, Rejection};
use crate::data::column::Value;
use crate::data::field::Level;
use crate::data::wire::{Field, Malformed, Payload};

/// The tag of `Span.attributes`.
const ATTRIBUTE_TAG: u8 = 9 << 3 | 2;

impl Walker<'_> {
    pub(super) fn span(&mut self, at: At, content: Range<usize>) -> Result<(), Malformed> {
        self.sink.open(Level::Record);
        let row = self.sink.layout.records.len() as u32;
        let bytes = self.bytes;
        let (mut trace_id, mut span_id, mut parent_ok) = (false, false, true);
        let (mut start, mut end) = (0u64, 0u64);
        let (mut events, mut links) = (0i64, 0i64);
        let mut status = At::NOWHERE;
        let mut attributes = Counted::default();
        let mut fields = Fields::new(bytes, content, &SPAN);
        loop {
            while let Some((at, content)) = fields.next_short(ATTRIBUTE_TAG) {
                self.attribute(Level::Record, at, content, &mut attributes)?;
            }
            let Some(field) = fields.next()? else { break };
            match (field.number, field.payload) {
                (9, Payload::Bytes { from, to }) => {
                    self.attribute(Level::Record, place(&field), from..to, &mut attributes)?;
                    continue;
                }
                (1, Payload::Bytes { from, to }) => trace_id = is_id::<16>(bytes, from..to),
                (2, Payload::Bytes { from, to }) => span_id = is_id::<8>(bytes, from..to),
                (4, Payload::Bytes { from, to }) => parent_ok = matches!(to - from, 0 | 8),
                (7, Payload::Fixed64(time)) => start = time,
                (8, Payload::Fixed64(time)) => end = time,
                (11, Payload::Bytes { from, to }) => {
                    events += 1;
                    self.event(&field, from..to, &mut attributes)?;
                    continue;
                }
                (13, Payload::Bytes { from, to }) => {
                    links += 1;
                    self.link(&field, from..to, &mut attributes)?;
                    continue;
                }
                (15, Payload::Bytes { from, to }) => {
                    once(&mut status, &field)?;
                    self.status(from..to)?;
                    continue;
                }
                _ => {}
            }
            self.sink.field(Level::Record, &field);
        }
        self.derive_span(end as i64, start as i64, events, links);
        self.sink.layout.records.push(at);
        if self.sink.projection.level(Level::Record).status.iter().any(Option::is_some) {
            self.sink.layout.statuses.push(status);
        }
        let fault = match (trace_id, span_id, parent_ok) {
            (false, ..) => Some(Rejection::TraceId),
            (_, false, _) => Some(Rejection::SpanId),
            (.., false) => Some(Rejection::ParentSpanId),
            _ => attributes.fault,
        };
        self.reject_row(row, fault);
        Ok(())
    }

    fn derive_span(&mut self, end: i64, start: i64, events: i64, links: i64) {
        let table = self.sink.projection.level(Level::Record);
        if let Some(column) = table.duration {
            self.sink.derive(column, Value::Int(end.saturating_sub(start)));
        }
        for &(number, column) in &table.counts {
            self.sink.derive(column, Value::Int(if number == 11 { events } else { links }));
        }
    }

    fn event(&mut self, field: &Field, content: Range<usize>, counted: &mut Counted) -> Result<(), Malformed> {
        let seen = self.sink.projection.has(Level::Event);
        if seen {
            self.sink.open(Level::Event);
            self.sink.layout.events.push(place(field));
            self.sink.relations.event_record.push(self.sink.layout.records.len() as u32);
        }
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, &EVENT);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (3, Some(content)) if seen => self.attribute(Level::Event, place(&field), content, &mut attributes)?,
                (3, Some(content)) => self.unseen_attribute(content, &mut attributes)?,
                _ if seen => self.sink.field(Level::Event, &field),
                _ => {}
            }
        }
        counted.fault = counted.fault.or(attributes.fault);
        Ok(())
    }

    fn link(&mut self, field: &Field, content: Range<usize>, counted: &mut Counted) -> Result<(), Malformed> {
        let seen = self.sink.projection.has(Level::Link);
        if seen {
            self.sink.open(Level::Link);
            self.sink.layout.links.push(place(field));
            self.sink.relations.link_record.push(self.sink.layout.records.len() as u32);
        }
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, &LINK);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (4, Some(content)) if seen => self.attribute(Level::Link, place(&field), content, &mut attributes)?,
                (4, Some(content)) => self.unseen_attribute(content, &mut attributes)?,
                _ if seen => self.sink.field(Level::Link, &field),
                _ => {}
            }
        }
        counted.fault = counted.fault.or(attributes.fault);
        Ok(())
    }

    fn status(&mut self, content: Range<usize>) -> Result<(), Malformed> {
        let mut fields = Fields::new(self.bytes, content, &STATUS);
        while let Some(field) = fields.next()? {
            self.sink.status(&field);
        }
        Ok(())
    }
}

/// Whether an id has the right length and is not all zero (R38).
#[inline]
pub(super) fn is_id<const N: usize>(bytes: &[u8], range: Range<usize>) -> bool {
    bytes.get(range).and_then(|id| <&[u8; N]>::try_from(id).ok()).is_some_and(|id| *id != [0; N])
}
