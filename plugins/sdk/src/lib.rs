//! Write plugins for Sluicebox: filters, samplers and transforms of OpenTelemetry data, as sandboxed WebAssembly.
//!
//! A plugin never sees telemetry messages. It declares the fields that it wants (`span.name`,
//! `span.attributes["http.route"]`, `resource.attributes[*]`, …), is given them as columns, and answers with
//! what to keep, with what probability, or what to change. The host owns the bytes.
//!
//! ```
//! use std::collections::HashSet;
//! use sluicebox_plugin::prelude::*;
//!
//! #[derive(Record)]
//! struct Request<'a> {
//!     #[field("span.attributes[\"http.route\"]")]
//!     route: Option<&'a str>,
//!     #[field("span.duration")]
//!     took: Duration,
//! }
//!
//! #[config]
//! struct Config {
//!     /// Routes whose fast requests nobody wants to see.
//!     routes: Vec<String>,
//! }
//!
//! struct DropRoutes {
//!     routes: HashSet<String>,
//! }
//!
//! impl Filter for DropRoutes {
//!     type Config = Config;
//!     type Record<'a> = Request<'a>;
//!
//!     fn new(config: Config) -> Result<Self, Error> {
//!         Ok(DropRoutes { routes: config.routes.into_iter().collect() })
//!     }
//!
//!     fn keep(&mut self, request: Request<'_>) -> bool {
//!         request.took > Duration::from_millis(500) || request.route.is_none_or(|route| !self.routes.contains(route))
//!     }
//! }
//!
//! export_filter!(DropRoutes);
//! ```
//!
//! The same code compiles natively, so that a plugin is tested with `cargo test`: see [`testing`].
//! [`Filter`], [`Sampler`] and [`Transform`] see one record at a time; [`BatchFilter`], [`BatchSampler`] and
//! [`BatchTransform`] are what those are built on, for plugins whose fields only their config knows.

#![deny(unsafe_code, missing_docs)]

// The derives and the generated bindings name this crate by its name, here as in a plugin.
extern crate self as sluicebox_plugin;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod guest;
#[doc(hidden)]
pub mod record;

mod attributes;
mod batch;
mod cells;
mod clocks;
mod config;
mod convert;
mod decision;
mod duration;
mod edits;
mod error;
mod export;
mod field;
mod ids;
mod level;
mod nested;
mod owned;
mod plugin;
mod rows;
mod setup;
mod text;
mod value;
mod wire;

pub mod clock;
pub mod log;
pub mod metrics;
pub mod random;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use attributes::{AttributeLists, Attributes};
pub use batch::Batch;
pub use cells::{Cells, RowCells};
pub use clocks::Time;
pub use config::{Config, NoConfig};
pub use convert::{FromCell, ToCell};
pub use decision::{Decision, Decisions, Reason};
pub use duration::DurationText;
pub use edits::Edits;
pub use error::Error;
pub use field::{Each, Edit, EditAttributes};
pub use ids::{SpanId, TraceId};
pub use level::Level;
pub use nested::{Array, Inside, KvList, Replace};
pub use owned::OwnedValue;
pub use plugin::{BatchFilter, BatchSampler, BatchTransform, EachFilter, EachSampler, EachTransform};
pub use plugin::{Filter, Sampler, Transform};
pub use record::Record;
pub use rows::Rows;
pub use setup::{AttributesField, EditAttributesField, EditField, Field, Setup, Signal};
pub use value::Value;

pub use sluicebox_plugin_derive::{Reason, Record, config};

#[doc(hidden)]
pub use {schemars, serde, serde_json, wit_bindgen};

/// Everything that a plugin usually needs.
pub mod prelude {
    pub use crate::{
        Array, Attributes, AttributesField, Batch, BatchFilter, BatchSampler, BatchTransform, Decision, Decisions,
        DurationText, Each, Edit, EditAttributes, EditAttributesField, EditField, Edits, Error, Field, Filter, KvList,
        Level, NoConfig, OwnedValue, Reason, Record, Rows, Sampler, Setup, Signal, SpanId, Time, TraceId, Transform,
        Value, clock, config, metrics, random, state,
    };
    pub use crate::{debug, error, info, trace, warn};
    pub use crate::{
        export_batch_filter, export_batch_sampler, export_batch_transform, export_filter, export_sampler,
        export_transform,
    };
    pub use std::time::Duration;
}
