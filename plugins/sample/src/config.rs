//! What the pipeline file says.

use std::collections::BTreeMap;

use sluicebox_plugin::{DurationText, Error, Signal, config};

/// Errors first, then what is slow, then the rate of the service, then the base rate.
#[config]
pub struct Config {
    /// Whether errors are always kept: spans whose status is an error, log records of severity error and above.
    #[serde(default = "yes")]
    pub keep_errors: bool,
    /// What is slow is always kept. Traces only.
    #[serde(default)]
    pub slow: Option<Slow>,
    /// How much of each service is kept, by `service.name`: from 0 (nothing) to 1 (everything).
    #[serde(default)]
    pub services: BTreeMap<String, f64>,
    /// How much of everything else is kept: from 0 (nothing) to 1 (everything).
    pub rate: f64,
}

/// What counts as slow.
#[config]
pub struct Slow {
    /// A span that takes so long or longer, such as `500ms`.
    pub threshold: DurationText,
}

fn yes() -> bool {
    true
}

impl Slow {
    /// The threshold, as spans measure it.
    pub fn nanoseconds(&self) -> i64 {
        i64::try_from(self.threshold.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl Config {
    /// Refuses what cannot be meant.
    pub fn check(&self, signal: Signal) -> Result<(), Error> {
        match signal {
            Signal::Metrics => {
                return Err(Error::new("data points are not sampled; use this stage for traces or logs"));
            }
            Signal::Logs if self.slow.is_some() => {
                return Err(Error::at("slow", "log records have no duration; leave it out in a pipeline of logs"));
            }
            Signal::Traces | Signal::Logs => {}
        }
        let services = self.services.iter().map(|(service, &rate)| (format!("services.{service}"), rate));
        let mut rates = services.chain([("rate".to_owned(), self.rate)]);
        match rates.find(|(_, rate)| !(0.0..=1.0).contains(rate)) {
            Some((key, rate)) => Err(Error::at(key, format!("{rate} is not between 0 (nothing) and 1 (everything)"))),
            None => Ok(()),
        }
    }
}
