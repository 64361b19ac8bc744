//! Durations in configs, as people write them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::Error;

/// A duration in a config: `500ms`, `1.5s`, `2m30s`. Units: `ns`, `us` (or `µs`), `ms`, `s`, `m`, `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct DurationText(pub Duration);

/// Nanoseconds of each unit; those that begin like another come first.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl std::str::FromStr for DurationText {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let problem = || Error::new(format!("`{text}` is not a duration; write it like 500ms, 1.5s or 2m30s"));
        let mut rest = text.trim();
        let mut nanoseconds = 0.0;
        if rest.is_empty() {
            return Err(problem());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(problem)?;
            let (number, unit) = rest.split_at_checked(digits).ok_or_else(problem)?;
            let (unit, size) = UNITS.into_iter().find(|(name, _)| unit.starts_with(name)).ok_or_else(problem)?;
            nanoseconds += number.parse::<f64>().map_err(|_| problem())? * size;
            rest = rest.get(digits + unit.len()..).ok_or_else(problem)?;
        }
        // Spans measure in 64-bit nanoseconds: 292 years.
        if nanoseconds > i64::MAX as f64 {
            return Err(problem());
        }
        Ok(DurationText(Duration::from_nanos(nanoseconds.round() as u64)))
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$",
            "examples": ["500ms", "1.5s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let read = |text: &str| text.parse::<DurationText>().map(|duration| duration.0);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(read("2m30s"), Ok(Duration::from_secs(150)));
        assert_eq!(read("10us"), read("10µs"));
        for wrong in ["", "5", "ms", "5 ms", "1..2s", "1d", "999999h999999h999999h"] {
            assert!(read(wrong).is_err_and(|error| error.to_string().contains("500ms")), "{wrong}");
        }
    }
}
