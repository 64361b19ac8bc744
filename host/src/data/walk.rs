//! The walk: one pass over an encoded request that proves it well-formed, finds its records, rejects those that OTLP
//! says to reject, and extracts the projection into columns.
//!
//! Nothing is decoded into messages. What the walk does not know it steps over, and the splice later copies it as it
//! came. Source of the rules: the OTLP specification and the comments of opentelemetry-proto; CONFORMANCE rows R38–R45.

mod logs;
mod metrics;
mod shape;
mod sink;
mod traces;
mod value;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use self::shape::{ENTITY_REF, REQUEST, RESOURCE, RESOURCE_ENVELOPE, SCOPE, SCOPE_ENVELOPE};
use self::sink::Sink;
use self::value::{Fields, any_key_value, key_value, plain_pair};
use super::Signal;
use super::batch::{At, Batch, Envelope, Rejection};
use super::bitmap::Bitmap;
use super::field::Level;
use super::projection::Projection;
use super::wire::{Field, Malformed};

pub(super) use self::value::{check_array, check_list};

/// What a request may hold. Crossing a limit on values makes the request malformed, crossing one on attributes
/// rejects the records concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of arrays and key-value lists inside a value.
    pub value_depth: usize,
    /// Attributes of one record, resource, scope, event, link or exemplar.
    pub attributes: usize,
    /// Bytes of one attribute.
    pub attribute_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { value_depth: 32, attributes: 10_000, attribute_bytes: 4 << 20 }
    }
}

/// Walks over an `Export…ServiceRequest` of the projection's signal. An error means that the bytes are no such
/// request; records that break a rule of their own are in [`Batch::rejected`] instead, and not live.
///
/// # Errors
/// [`Malformed`] says what is wrong and at which byte.
pub fn walk(bytes: &Bytes, projection: &Arc<Projection>, limits: Limits) -> Result<Batch, Malformed> {
    if bytes.len() >= u32::MAX as usize {
        return Err(Malformed { what: "request of 4 GiB or more", at: 0 });
    }
    let mut walker =
        Walker { bytes, limits, sink: Sink::new(projection, bytes), rejected: Vec::new(), strips: Vec::new() };
    walker.request()?;
    Ok(walker.finish(bytes.clone(), projection.clone()))
}

/// The state of one walk.
struct Walker<'a> {
    bytes: &'a [u8],
    limits: Limits,
    sink: Sink<'a>,
    rejected: Vec<(u32, Rejection)>,
    strips: Vec<(u32, At)>,
}

/// The place of a field, from its tag to its end. Requests are below 4 GiB, so nothing is cut off.
#[inline]
const fn place(field: &Field) -> At {
    At { start: field.start as u32, end: field.end as u32 }
}

impl<'a> Walker<'a> {
    fn request(&mut self) -> Result<(), Malformed> {
        let mut fields = Fields::new(self.bytes, 0..self.bytes.len(), &REQUEST);
        while let Some(field) = fields.next()? {
            if let (1, Some(content)) = (field.number, field.content()) {
                self.resource_envelope(place(&field), content)?;
            }
        }
        Ok(())
    }

    fn resource_envelope(&mut self, at: At, content: Range<usize>) -> Result<(), Malformed> {
        let first_record = self.sink.layout.records.len() as u32;
        let first = self.sink.layout.scopes.len() as u32;
        self.sink.open(Level::Resource);
        let mut inner = At::NOWHERE;
        let mut fault = None;
        let mut fields = Fields::new(self.bytes, content, &RESOURCE_ENVELOPE);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (1, Some(content)) => {
                    once(&mut inner, &field)?;
                    fault = self.resource(content)?;
                }
                (2, Some(content)) => self.scope_envelope(place(&field), content)?,
                _ => {}
            }
        }
        self.sink.layout.resources.push(Envelope { at, inner, first, first_record });
        self.sink.close_resource(first_record);
        self.reject_from(first_record, fault);
        Ok(())
    }

    fn resource(&mut self, content: Range<usize>) -> Result<Option<Rejection>, Malformed> {
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, &RESOURCE);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (1, Some(content)) => self.attribute(Level::Resource, place(&field), content, &mut attributes)?,
                (3, Some(content)) => self.opaque(content, &ENTITY_REF)?,
                _ => self.sink.field(Level::Resource, &field),
            }
        }
        Ok(attributes.fault)
    }

    fn scope_envelope(&mut self, at: At, content: Range<usize>) -> Result<(), Malformed> {
        let first_record = self.sink.layout.records.len() as u32;
        let signal = self.sink.projection.signal();
        let first = if signal == Signal::Metrics { self.sink.layout.metrics.len() as u32 } else { first_record };
        self.sink.open(Level::Scope);
        let mut inner = At::NOWHERE;
        let mut fault = None;
        let mut fields = Fields::new(self.bytes, content, &SCOPE_ENVELOPE);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (1, Some(content)) => {
                    once(&mut inner, &field)?;
                    fault = self.scope(content)?;
                }
                (2, Some(content)) => match signal {
                    Signal::Traces => self.span(place(&field), content)?,
                    Signal::Metrics => self.metric(place(&field), content)?,
                    Signal::Logs => self.log(place(&field), content)?,
                },
                _ => {}
            }
        }
        self.sink.layout.scopes.push(Envelope { at, inner, first, first_record });
        self.sink.close_scope(first_record);
        self.reject_from(first_record, fault);
        Ok(())
    }

    fn scope(&mut self, content: Range<usize>) -> Result<Option<Rejection>, Malformed> {
        let mut attributes = Counted::default();
        let mut fields = Fields::new(self.bytes, content, &SCOPE);
        while let Some(field) = fields.next()? {
            match (field.number, field.content()) {
                (3, Some(content)) => self.attribute(Level::Scope, place(&field), content, &mut attributes)?,
                _ => self.sink.field(Level::Scope, &field),
            }
        }
        Ok(attributes.fault)
    }

    /// One attribute of the entry that is open at `level`.
    #[inline(always)]
    fn attribute(
        &mut self,
        level: Level,
        at: At,
        content: Range<usize>,
        counted: &mut Counted,
    ) -> Result<(), Malformed> {
        counted.add(content.len(), &self.limits);
        // Most attributes are plain, and most of those are wanted by nobody.
        if let Some((key, value)) = plain_pair(self.bytes.get(content.clone()).unwrap_or_default()) {
            if self.sink.wants_attribute(level, key) {
                self.sink.attribute(level, key, value, at);
            }
            return Ok(());
        }
        self.any_attribute(level, at, content)
    }

    #[inline(never)]
    fn any_attribute(&mut self, level: Level, at: At, content: Range<usize>) -> Result<(), Malformed> {
        let (key, value) = any_key_value(self.bytes, content, self.limits.value_depth)?;
        self.sink.attribute(level, key, value, at);
        Ok(())
    }

    /// One attribute that no field path reaches: it only has to be well-formed and within the limits.
    fn unseen_attribute(&self, content: Range<usize>, counted: &mut Counted) -> Result<(), Malformed> {
        counted.add(content.len(), &self.limits);
        key_value(self.bytes, content, self.limits.value_depth).map(drop)
    }

    /// A message whose fields nobody asks for: it only has to be well-formed.
    fn opaque(&self, content: Range<usize>, shape: &'static shape::MessageShape) -> Result<(), Malformed> {
        let mut fields = Fields::new(self.bytes, content, shape);
        while fields.next()?.is_some() {}
        Ok(())
    }

    fn reject_row(&mut self, row: u32, fault: Option<Rejection>) {
        if let Some(rejection) = fault {
            self.rejected.push((row, rejection));
        }
    }

    /// Rejects every record since `first`, which all lie in an envelope with a fault.
    fn reject_from(&mut self, first: u32, fault: Option<Rejection>) {
        if let Some(rejection) = fault {
            let rows = first..self.sink.layout.records.len() as u32;
            self.rejected.retain(|(row, _)| *row < first);
            self.rejected.extend(rows.map(|row| (row, rejection)));
        }
    }

    fn finish(mut self, bytes: Bytes, projection: Arc<Projection>) -> Batch {
        self.sink.end();
        let rows = self.sink.layout.records.len();
        let mut live = Bitmap::empty();
        if !self.rejected.is_empty() {
            live = Bitmap::ones(rows);
            self.rejected.iter().for_each(|(row, _)| live.remove(*row as usize));
        }
        Batch {
            projection,
            bytes,
            layout: self.sink.layout,
            relations: self.sink.relations,
            columns: self.sink.columns,
            selected: !self.rejected.is_empty(),
            live,
            rejected: self.rejected,
            strips: self.strips,
        }
    }
}

/// A message field that may be there once. Protobuf would merge a second one into the first; nobody writes that, and
/// editing it would need a merge of its own, so it is refused.
fn once(seen: &mut At, field: &Field) -> Result<(), Malformed> {
    if seen.is_somewhere() {
        return Err(Malformed { what: "a message that may be there once is there twice", at: field.start });
    }
    *seen = place(field);
    Ok(())
}

/// The attributes of one entry, held against the limits.
#[derive(Default)]
struct Counted {
    count: usize,
    fault: Option<Rejection>,
}

impl Counted {
    #[inline(always)]
    fn add(&mut self, bytes: usize, limits: &Limits) {
        self.count += 1;
        if self.count > limits.attributes {
            self.fault = Some(Rejection::AttributeCount);
        } else if bytes > limits.attribute_bytes {
            self.fault = Some(Rejection::AttributeBytes);
        }
    }
}
