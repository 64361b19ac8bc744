//! Tests of plugins, natively: `cargo test`, no runtime, no WebAssembly.
//!
//! Make [`Telemetry`], give it to a plugin as the host would, look at what it answers:
//!
//! ```
//! # use sluicebox_plugin::prelude::*;
//! # #[derive(Record)] struct Span<'a> { #[field("span.name")] name: &'a str }
//! # #[config] struct Config { name: String }
//! # struct DropNamed(String);
//! # impl Filter for DropNamed {
//! #     type Config = Config;
//! #     type Record<'a> = Span<'a>;
//! #     fn new(config: Config) -> Result<Self, Error> { Ok(DropNamed(config.name)) }
//! #     fn keep(&mut self, span: Span<'_>) -> bool { span.name != self.0 }
//! # }
//! use sluicebox_plugin::testing::{self, Telemetry, json};
//!
//! let mut plugin = testing::filter::<DropNamed>(Signal::Traces, json!({ "name": "probe" }))?;
//! let spans = Telemetry::spans().span(|span| span.name("probe")).span(|span| span.name("GET /"));
//! assert_eq!(plugin.run(&spans)?, [1]);
//! # Ok::<(), Error>(())
//! ```
//!
//! The harness answers for the host: it refuses field paths that do not exist in the signal, gives the plugin only
//! the columns that it declared, and refuses an answer that the host would take for a fault.

mod answer;
mod entry;
mod harness;
pub(crate) mod imports;
mod paths;
mod project;
mod telemetry;

pub use entry::{Entry, Event, Link, Log, Metric, Point, Resource, Scope, Span};
pub use harness::{
    FilterTest, SamplerTest, TransformTest, batch_filter, batch_sampler, batch_transform, filter, sampler, transform,
};
pub use imports::{counter, observations};
pub use serde_json::json;
pub use telemetry::Telemetry;
