//! The standard plugin `sample`: a sampler that always keeps errors and what is slow, and a rate of the rest, by
//! service. The rate of a record acts on its trace id, so that a trace is kept or dropped as a whole; the host draws.

mod config;

use std::collections::BTreeMap;

use sluicebox_plugin::prelude::*;

pub use crate::config::{Config, Slow};

/// Why a record is kept with its probability; the first that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Reason)]
pub enum Why {
    /// It is an error: kept.
    Error,
    /// It took long: kept.
    Slow,
    /// Its service has a rate of its own.
    Service,
    /// Everything else.
    Base,
}

/// The plugin, made for one stage.
pub struct Sample {
    /// The field that tells an error, and the least number that means one.
    error: Option<(Field, i64)>,
    /// The field that tells how long it took, and how many nanoseconds are slow.
    slow: Option<(Field, i64)>,
    /// The field that names the service, and the rates.
    services: Option<(Field, BTreeMap<String, f64>)>,
    rate: f64,
}

/// `STATUS_CODE_ERROR` of a span, the highest of its codes.
const STATUS_ERROR: i64 = 2;
/// `SEVERITY_NUMBER_ERROR` of a log record; fatal ones are higher.
const SEVERITY_ERROR: i64 = 17;

impl BatchSampler for Sample {
    type Config = Config;
    type Reason = Why;

    fn new(config: Config, setup: &mut Setup) -> Result<Self, Error> {
        config.check(setup.signal())?;
        let (error_path, error_from) = match setup.signal() {
            Signal::Traces => ("span.status.code", STATUS_ERROR),
            _ => ("log.severity_number", SEVERITY_ERROR),
        };
        let error = match config.keep_errors {
            true => Some((setup.read(error_path)?, error_from)),
            false => None,
        };
        let slow = match &config.slow {
            Some(slow) => Some((setup.read("span.duration")?, slow.nanoseconds())),
            None => None,
        };
        let services = match config.services.is_empty() {
            true => None,
            false => Some((setup.read("resource.attributes[\"service.name\"]")?, config.services)),
        };
        Ok(Sample { error, slow, services, rate: config.rate })
    }

    fn sample(&mut self, batch: &Batch) -> Result<Decisions, Error> {
        let error = self.error.map(|(field, from)| (batch.cells(field), from));
        let slow = self.slow.map(|(field, from)| (batch.cells(field), from));
        let rates = self.service_rates(batch);
        let base = Decision::rate(self.rate, Why::Base);
        Ok(Decisions::ask(batch, |row| {
            if error.is_some_and(|(codes, from)| codes.get(row).is_some_and(|code: i64| code >= from)) {
                Decision::keep(Why::Error)
            } else if slow.is_some_and(|(durations, from)| durations.get(row).is_some_and(|took: i64| took >= from)) {
                Decision::keep(Why::Slow)
            } else {
                let resource = batch.entry(Level::Resource, row);
                let rate = resource.and_then(|resource| rates.get(resource).copied().flatten());
                rate.map_or(base, |rate| Decision::rate(rate, Why::Service))
            }
        }))
    }
}

impl Sample {
    /// For each resource, the rate of its service, if that has one: looked up once a resource, not once a record.
    fn service_rates(&self, batch: &Batch) -> Vec<Option<f64>> {
        let Some((field, rates)) = &self.services else {
            return Vec::new();
        };
        let names = batch.cells(*field);
        (0..names.len()).map(|resource| rates.get(names.get::<&str>(resource)?).copied()).collect()
    }
}

export_batch_sampler!(Sample);
