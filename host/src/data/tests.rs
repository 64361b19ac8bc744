//! The walk, the projection and the splice, held against `opentelemetry-proto` and prost as the model.

mod edits;
mod model;
mod projection;
mod rejections;
mod selection;
mod unknown;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::Signal;
use super::batch::Batch;
use super::field::Field;
use super::projection::Projection;
use super::splice::splice;
use super::walk::{Limits, walk};

/// A projection of some paths, all of them tracked.
fn projection(signal: Signal, paths: &[&str]) -> Arc<Projection> {
    let mut projection = Projection::empty(signal);
    for path in paths {
        projection.add(&Field::resolve(path, signal).unwrap(), true).unwrap();
    }
    Arc::new(projection)
}

fn walked(signal: Signal, message: &impl Message, paths: &[&str]) -> Batch {
    walk(&Bytes::from(message.encode_to_vec()), &projection(signal, paths), Limits::default()).unwrap()
}

/// What the splice makes of a batch, decoded; an empty request if nothing is left.
fn spliced<M: Message + Default>(batch: &Batch) -> M {
    splice(batch).map_or_else(M::default, |spliced| M::decode(spliced.bytes).unwrap())
}
