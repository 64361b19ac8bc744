//! Version 0.1 of the plugin interface: the generated bindings, and the translation to and from the host's types.
//!
//! Parameters are borrowed: a column goes from the batch into the guest's memory in three copies.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Result, Store};

use self::bindings::exports::sluicebox::plugin as exports;
use self::bindings::sluicebox::plugin as imports;
use crate::config::spec::Grant;
use crate::data::Signal;
use crate::data::column::{Attributes, Cells, Column, Decisions, Edit, Links, View};
use crate::plugin::imports::{Host, log::Level, state::Refusal};
use crate::plugin::{Description, Kind, Plan};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        // One world for the host's side of all kinds: the shared types are generated once.
        inline: "
            package sluicebox:host;
            world any-plugin {
                include sluicebox:plugin/imports@0.1.0;
                export sluicebox:plugin/lifecycle@0.1.0;
                export sluicebox:plugin/filter@0.1.0;
                export sluicebox:plugin/sampler@0.1.0;
                export sluicebox:plugin/transform@0.1.0;
            }
        ",
        world: "sluicebox:host/any-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        exports: {
            "sluicebox:plugin/lifecycle.configure": async,
            "sluicebox:plugin/filter": async,
            "sluicebox:plugin/sampler": async,
            "sluicebox:plugin/transform": async,
        },
    });
}

/// Columns of a batch that are passed without an allocation.
const COLUMNS_INLINE: usize = 8;
/// Levels that records are related to.
const RELATIONS: usize = 5;

/// What a guest answers a call with: its answer, or its own error.
pub type Answer<T> = Result<Result<T, String>>;

/// Gives a linker what the grants allow. The log and the types are always there.
pub fn link(linker: &mut Linker<Host>, grants: &[Grant]) -> Result<()> {
    type Getter = HasSelf<Host>;
    imports::log::add_to_linker::<_, Getter>(linker, |host| host)?;
    imports::types::add_to_linker::<_, Getter>(linker, |host| host)?;
    for grant in Grant::ALL.into_iter().filter(|grant| grants.contains(grant)) {
        match grant {
            Grant::Metrics => imports::metrics::add_to_linker::<_, Getter>(linker, |host| host)?,
            Grant::State => imports::state::add_to_linker::<_, Getter>(linker, |host| host)?,
            Grant::Clock => imports::clock::add_to_linker::<_, Getter>(linker, |host| host)?,
            Grant::Random => imports::random::add_to_linker::<_, Getter>(linker, |host| host)?,
        }
    }
    Ok(())
}

/// A plugin with its imports resolved and its exports found, ready to be instantiated.
#[derive(Clone)]
pub struct Prepared {
    pre: InstancePre<Host>,
    lifecycle: exports::lifecycle::GuestIndices,
    calls: CallIndices,
}

#[derive(Clone)]
enum CallIndices {
    Filter(exports::filter::GuestIndices),
    Sampler(exports::sampler::GuestIndices),
    Transform(exports::transform::GuestIndices),
}

impl Prepared {
    /// Finds the exports of a plugin of that kind.
    pub fn new(pre: InstancePre<Host>, kind: Kind) -> Result<Prepared> {
        let lifecycle = exports::lifecycle::GuestIndices::new(&pre)?;
        let calls = match kind {
            Kind::Filter => CallIndices::Filter(exports::filter::GuestIndices::new(&pre)?),
            Kind::Sampler => CallIndices::Sampler(exports::sampler::GuestIndices::new(&pre)?),
            Kind::Transform => CallIndices::Transform(exports::transform::GuestIndices::new(&pre)?),
        };
        Ok(Prepared { pre, lifecycle, calls })
    }

    /// Makes an instance.
    pub async fn instantiate(&self, store: &mut Store<Host>) -> Result<Instance> {
        self.pre.instantiate_async(store).await
    }

    /// The same on a thread that may block.
    pub fn instantiate_blocking(&self, store: &mut Store<Host>) -> Result<Instance> {
        self.pre.instantiate(store)
    }

    /// Checks the types of an instance's exports.
    pub fn load(&self, store: &mut Store<Host>, instance: &Instance) -> Result<Guest> {
        let lifecycle = self.lifecycle.load(&mut *store, instance)?;
        let calls = match &self.calls {
            CallIndices::Filter(indices) => Calls::Filter(indices.load(store, instance)?),
            CallIndices::Sampler(indices) => Calls::Sampler(indices.load(store, instance)?),
            CallIndices::Transform(indices) => Calls::Transform(indices.load(store, instance)?),
        };
        Ok(Guest { lifecycle, calls })
    }
}

/// The exports of an instance.
pub struct Guest {
    lifecycle: exports::lifecycle::Guest,
    /// What its kind is called for.
    pub calls: Calls,
}

/// The call of each kind.
pub enum Calls {
    /// A filter's.
    Filter(exports::filter::Guest),
    /// A sampler's.
    Sampler(exports::sampler::Guest),
    /// A transform's.
    Transform(exports::transform::Guest),
}

impl Guest {
    /// Asks who the plugin is, on a thread that may block.
    pub fn describe_blocking(&self, store: &mut Store<Host>) -> Result<Description> {
        let imports::types::Description { name, version, summary, config_schema } =
            self.lifecycle.call_describe(store)?;
        Ok(Description { name, version, summary, config_schema })
    }

    /// Hands over the config.
    pub async fn configure(&self, store: &mut Store<Host>, config: &str, signal: Signal) -> Answer<Plan> {
        let signal = match signal {
            Signal::Traces => imports::types::Signal::Traces,
            Signal::Metrics => imports::types::Signal::Metrics,
            Signal::Logs => imports::types::Signal::Logs,
        };
        let plan = self.lifecycle.call_configure(store, config, signal).await?;
        Ok(plan.map(|imports::types::Plan { reads, writes, reasons }| Plan { reads, writes, reasons }))
    }
}

/// Calls a filter.
pub async fn filter(guest: &exports::filter::Guest, store: &mut Store<Host>, view: &View<'_>) -> Answer<Vec<u8>> {
    let (relations, columns) = (relations(view), columns(view));
    guest.call_filter(store, batch(view, &relations, &columns)).await
}

/// Calls a sampler.
pub async fn sample(guest: &exports::sampler::Guest, store: &mut Store<Host>, view: &View<'_>) -> Answer<Decisions> {
    let (relations, columns) = (relations(view), columns(view));
    let decisions = guest.call_sample(store, batch(view, &relations, &columns)).await?;
    Ok(decisions.map(|imports::types::Decisions { probabilities, reasons }| Decisions { probabilities, reasons }))
}

/// Calls a transform.
pub async fn transform(
    guest: &exports::transform::Guest,
    store: &mut Store<Host>,
    view: &View<'_>,
) -> Answer<Vec<Edit>> {
    let (relations, columns) = (relations(view), columns(view));
    let edits = guest.call_transform(store, batch(view, &relations, &columns)).await?;
    Ok(edits.map(|edits| edits.into_iter().map(edit).collect()))
}

fn batch<'a>(
    view: &View<'a>,
    relations: &'a [imports::types::Relation<'a>],
    columns: &'a [imports::types::Column<'a>],
) -> imports::types::Batch<'a> {
    let live = (!view.live.is_empty()).then_some(view.live);
    imports::types::Batch { rows: view.rows, live, relations, columns }
}

/// Only those that the plugin is given: a list costs a call into the guest even if it is empty.
fn relations<'a>(view: &View<'a>) -> SmallVec<[imports::types::Relation<'a>; RELATIONS]> {
    use imports::types::{Level, Relation};
    let Links { resource_of, scope_of, metric_of, event_record, link_record } = view.links;
    let all = [
        Relation { level: Level::Resource, positions: resource_of },
        Relation { level: Level::Scope, positions: scope_of },
        Relation { level: Level::Metric, positions: metric_of },
        Relation { level: Level::Event, positions: event_record },
        Relation { level: Level::Link, positions: link_record },
    ];
    all.into_iter().filter(|relation| !relation.positions.is_empty()).collect()
}

fn columns<'a>(view: &View<'a>) -> SmallVec<[imports::types::Column<'a>; COLUMNS_INLINE]> {
    view.columns.iter().map(column).collect()
}

fn column<'a>(column: &Column<'a>) -> imports::types::Column<'a> {
    match *column {
        Column::Cells(values) => imports::types::Column::Cells(cells(values)),
        Column::Attributes(Attributes { starts, keys, values }) => {
            imports::types::Column::Attributes(imports::types::Attributes { starts, keys, values: cells(values) })
        }
    }
}

fn cells(Cells { kinds, words, data }: &Cells) -> imports::types::CellsParam<'_> {
    imports::types::CellsParam { kinds, words, data }
}

fn edit(edit: imports::types::Edit) -> Edit {
    let imports::types::CellsResult { kinds, words, data } = edit.values;
    Edit { field: edit.field, entries: edit.entries, keys: edit.keys, values: Cells { kinds, words, data } }
}

impl imports::types::Host for Host {}

impl imports::log::Host for Host {
    fn log(&mut self, level: imports::log::Level, message: String) {
        Host::log(self, level.into(), &message);
    }

    fn enabled(&mut self, level: imports::log::Level) -> bool {
        self.log_enabled(level.into())
    }
}

impl From<imports::log::Level> for Level {
    fn from(level: imports::log::Level) -> Level {
        match level {
            imports::log::Level::Trace => Level::Trace,
            imports::log::Level::Debug => Level::Debug,
            imports::log::Level::Info => Level::Info,
            imports::log::Level::Warn => Level::Warn,
            imports::log::Level::Error => Level::Error,
        }
    }
}

impl imports::metrics::Host for Host {
    fn count(&mut self, name: String, value: u64) {
        Host::count(self, name, value);
    }

    fn observe(&mut self, name: String, value: f64) {
        Host::observe(self, name, value);
    }
}

impl imports::state::Host for Host {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.state.bytes(Instant::now(), &key)
    }

    fn put(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<(), imports::state::Refusal> {
        Ok(self.state.put(Instant::now(), &key, value, ttl_ms.map(Duration::from_millis))?)
    }

    fn compare_and_add(
        &mut self,
        key: String,
        delta: i64,
        at_most: Option<i64>,
        ttl_ms: Option<u64>,
    ) -> Result<Option<i64>, imports::state::Refusal> {
        Ok(self.state.compare_and_add(Instant::now(), &key, delta, at_most, ttl_ms.map(Duration::from_millis))?)
    }
}

impl From<Refusal> for imports::state::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Quota => imports::state::Refusal::Quota,
            Refusal::Mismatch => imports::state::Refusal::Mismatch,
        }
    }
}

impl imports::clock::Host for Host {
    fn now(&mut self) -> u64 {
        Host::now(self)
    }

    fn monotonic(&mut self) -> u64 {
        Host::monotonic(self)
    }
}

impl imports::random::Host for Host {
    fn next(&mut self) -> u64 {
        self.random()
    }
}
