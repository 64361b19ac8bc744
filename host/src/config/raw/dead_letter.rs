//! The file for what an exporter cannot deliver, as it is typed: a path, or a mapping with its bounds.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Quarantine;

/// A dead-letter file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum DeadLetter {
    /// With the default bounds.
    Path(String),
    /// With bounds of its own.
    Bounded(Quarantine),
}

impl DeadLetter {
    /// The path, and the bounds.
    pub fn file(&self) -> Quarantine {
        match self {
            DeadLetter::Path(path) => Quarantine { path: Some(path.clone()), ..Quarantine::default() },
            DeadLetter::Bounded(file) => file.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for DeadLetter {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = DeadLetter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a mapping")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<DeadLetter, E> {
                Ok(DeadLetter::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DeadLetter, A::Error> {
                Quarantine::deserialize(MapAccessDeserializer::new(map)).map(DeadLetter::Bounded)
            }
        }

        from.deserialize_any(Either)
    }
}
