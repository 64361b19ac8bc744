//! Compression of requests, as it is typed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::value::Time;

/// Compression of requests.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// What serves an aim best: `{adaptive: {aim: network}}`.
    #[serde(untagged)]
    Adaptive(AdaptiveCompression),
}

/// Compression that is chosen by measuring.
#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct AdaptiveCompression {
    /// By what it is chosen.
    pub adaptive: Adaptive,
}

/// By what a compression is chosen.
#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Adaptive {
    /// What is to be saved. Required.
    pub aim: Option<Aim>,
    /// With `aim: network`: CPU time that compressing a MiB may take. Default 5ms.
    pub max_cpu: Option<Time>,
    /// With `aim: cpu`: CPU time that sending a MiB takes. Default 500us.
    pub sending: Option<Time>,
}

/// What a compression is to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Aim {
    /// Bytes on the network.
    Network,
    /// CPU time.
    Cpu,
}

/// How hard a compression tries.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct CompressionParams {
    /// gzip 1–9, zstd 1–19. Default 1.
    pub level: Option<u64>,
}

impl<'de> Deserialize<'de> for Compression {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Compression;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `gzip`, `zstd` or a mapping")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Compression, E> {
                match text {
                    "none" => Ok(Compression::None),
                    "gzip" => Ok(Compression::Gzip),
                    "zstd" => Ok(Compression::Zstd),
                    _ => Err(E::unknown_variant(text, &["none", "gzip", "zstd", "{adaptive: {aim: network}}"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Compression, A::Error> {
                AdaptiveCompression::deserialize(MapAccessDeserializer::new(map)).map(Compression::Adaptive)
            }
        }

        from.deserialize_any(Either)
    }
}
