//! What lies between a pipeline and a target, as it is typed: queue, batches, retries.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::durable::{DurableQueue, EitherQueue};
use crate::config::value::{Size, Time};

/// What holds requests between their acknowledgement and their delivery.
#[derive(Debug, Default, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Queue {
    /// Acknowledged when it is in memory: `{memory: 64MiB}`.
    #[default]
    Memory,
    /// Acknowledged when it is delivered.
    None,
    /// Acknowledged when it is in memory.
    #[serde(untagged)]
    Bounded(BoundedQueue),
    /// Acknowledged when it is on the disk: `{durable: ./var/backend}`.
    #[serde(untagged)]
    Durable(DurableQueue),
}

/// A queue in memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct BoundedQueue {
    /// Size of the encoded requests that it holds, over all shards.
    pub memory: Size,
}

impl Default for BoundedQueue {
    fn default() -> Self {
        BoundedQueue { memory: Size(64 << 20) }
    }
}

impl<'de> Deserialize<'de> for Queue {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Queue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`memory`, `none` or a mapping")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Queue, E> {
                match text {
                    "memory" => Ok(Queue::Memory),
                    "none" => Ok(Queue::None),
                    _ => Err(E::unknown_variant(text, &["memory", "none", "{memory: 64MiB}", "{durable: ./folder}"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Queue, A::Error> {
                EitherQueue::deserialize(MapAccessDeserializer::new(map)).map(Queue::from)
            }
        }

        from.deserialize_any(Either)
    }
}

/// How requests are merged and split behind the queue.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Batch {
    /// A request is sent as soon as it holds so many records.
    pub min_records: u64,
    /// A request never holds more records; larger ones are split. 0: no limit.
    pub max_records: u64,
    /// A request is never larger, before compression; larger ones are split.
    pub max_bytes: Size,
    /// A request is sent when its oldest record has waited so long. With `queue: none`, 5ms if it is left out.
    pub timeout: Time,
    /// Lets the size of requests follow how fast the peer answers, instead of `min_records`. Left out: it does not.
    pub adaptive: Option<AdaptiveBatch>,
}

impl Default for Batch {
    fn default() -> Self {
        let timeout = Time(std::time::Duration::from_millis(200));
        Batch { min_records: 8192, max_records: 0, max_bytes: Size(64 << 20), timeout, adaptive: None }
    }
}

/// The size of requests follows the 95th percentile of the time that exports take.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct AdaptiveBatch {
    /// What 95 of 100 exports may take.
    pub target: Time,
    /// The smallest size that is chosen, and the first.
    pub min_records: u64,
    /// The largest size that is chosen.
    pub max_records: u64,
}

impl Default for AdaptiveBatch {
    fn default() -> Self {
        let target = Time(std::time::Duration::from_millis(100));
        AdaptiveBatch { target, min_records: 256, max_records: 8192 }
    }
}

/// How failures are retried: exponentially, with jitter.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Retry {
    /// Whether they are at all.
    pub enabled: bool,
    /// First wait.
    pub initial_interval: Time,
    /// Longest wait.
    pub max_interval: Time,
    /// After how long a request is given up. 0: never.
    pub max_elapsed_time: Time,
    /// What becomes of it then. Default: `keep` behind a durable queue, else `dead_letter` if there is a file for it,
    /// else `drop`.
    pub on_exhausted: Option<OnExhausted>,
}

/// What becomes of a request that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum OnExhausted {
    /// It stays in the queue, and is tried again for ever.
    Keep,
    /// It is written to the exporter's `dead_letter` file, and counted as dropped.
    DeadLetter,
    /// It is dropped, and counted.
    Drop,
}

impl Default for Retry {
    fn default() -> Self {
        let seconds = |s| Time(std::time::Duration::from_secs(s));
        Retry {
            enabled: true,
            initial_interval: seconds(5),
            max_interval: seconds(30),
            max_elapsed_time: seconds(300),
            on_exhausted: None,
        }
    }
}
