//! Durations and sizes as they are typed: `1m30s`, `64MiB`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds of each unit of time, longest first, as Go writes them.
const TIME_UNITS: [(&str, u64); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Bytes of each unit of size.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A span of time: `20ms`, `1.5s`, `1m30s`; at most a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time(pub Duration);

/// A number of bytes: `64MiB`, `10MB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size(pub u64);

impl Time {
    const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Time(Duration::ZERO));
        }
        let mut rest = text;
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
            let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
            let nanos = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
            let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * (nanos as f64 / 1e9)).ok()?;
            total = total.checked_add(part)?;
            rest = tail;
        }
        (!text.is_empty() && total <= Self::MAX).then_some(Time(total))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
        let bytes = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim_start())?.1;
        let size = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(bytes)?,
            Err(_) => (number.parse::<f64>().ok()? * bytes as f64) as u64,
        };
        (size <= 1 << 50).then_some(Size(size))
    }

    /// As a length in memory.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, nanos) in TIME_UNITS.into_iter().filter(|(unit, _)| *unit != "µs") {
            if left >= nanos {
                write!(f, "{}{unit}", left / nanos)?;
                left %= nanos;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = SIZE_UNITS
            .into_iter()
            .rev()
            .find(|(unit, bytes)| unit.ends_with("iB") && self.0 >= *bytes && self.0.is_multiple_of(*bytes))
            .unwrap_or(("", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

/// Reads a value from its text.
struct FromText<T>(fn(&str) -> Option<T>, &'static str);

impl<T> Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1.lines().next().unwrap_or_default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text.trim()).ok_or_else(|| E::custom(format_args!("this is not {}", self.1)))
    }
}

macro_rules! typed_as_text {
    ($type:ident, $words:literal, $pattern:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(FromText($type::parse, $words))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": ["string", "integer"], "pattern": $pattern, "description": $description})
            }
        }
    };
}

typed_as_text!(
    Time,
    "a duration\nwrite a number with a unit, such as `20ms`, `1.5s` or `1m30s`",
    r"^(0|([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+|.*\$\{env:.*)$",
    "A span of time: `20ms`, `1.5s`, `1m30s`."
);
typed_as_text!(
    Size,
    "a size\nwrite bytes, such as `4096`, `64KB` or `32MiB`",
    r"^([0-9]+(\.[0-9]+)? ?(B|KB|MB|GB|KiB|MiB|GiB)?|.*\$\{env:.*)$",
    "A number of bytes: `4096`, `64KB`, `32MiB`."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, nanos) in [
            ("20ms", 20_000_000),
            ("1.5s", 1_500_000_000),
            ("1m30s", 90_000_000_000),
            ("0", 0),
            ("3us", 3_000),
            ("2h", 7_200_000_000_000),
        ] {
            assert_eq!(Time::parse(text), Some(Time(Duration::from_nanos(nanos))), "{text}");
        }
        for text in ["", "5", "s", "1x", "-1s", "1.2.3s", "1s 2", "99999999h"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_in_both_kinds_of_units() {
        for (text, bytes) in [("4096", 4096), ("64KB", 64_000), ("32MiB", 32 << 20), ("1.5 KiB", 1536), ("0", 0)] {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "-1", "5 bytes", "1e99", "99999999999GiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for time in [Time(Duration::from_millis(100)), Time(Duration::from_secs(90)), Time(Duration::ZERO)] {
            assert_eq!(Time::parse(&time.to_string()), Some(time), "{time}");
        }
        assert_eq!(Time(Duration::from_secs(90)).to_string(), "1m30s");
        for size in [Size(64 << 20), Size(1500), Size(0)] {
            assert_eq!(Size::parse(&size.to_string()), Some(size), "{size}");
        }
        assert_eq!(Size(64 << 20).to_string(), "64MiB");
    }
}
