//! A queue on a disk, as it is typed.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{BoundedQueue, Queue};
use crate::config::value::{Size, Time};

/// A queue on a disk: `{durable: ./var/backend}`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::config) struct DurableQueue {
    /// The folder that holds it. It is made if its parent is there.
    pub durable: String,
    /// When a request is acknowledged: `always`, when it is on the disk, or `{interval: 1s}`, when the system has it,
    /// which then has so long to write it.
    #[schemars(default = "DurableQueue::sync")]
    pub sync: SyncMode,
    /// Bytes that it takes on the disk. A full queue refuses.
    #[schemars(default = "DurableQueue::max_bytes")]
    pub max_bytes: Size,
    /// Requests that wait for longer are dropped, and counted. Default: none are.
    pub max_age: Option<Time>,
    /// Bytes of one file of it, at least 1MiB. Space is given back by the file.
    #[schemars(default = "DurableQueue::segment_bytes")]
    pub segment_bytes: Size,
}

impl DurableQueue {
    fn sync() -> SyncMode {
        SyncMode::Always
    }

    fn max_bytes() -> Size {
        Size(10 << 30)
    }

    fn segment_bytes() -> Size {
        Size(64 << 20)
    }
}

/// When a request is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum SyncMode {
    /// When it is on the disk.
    Always,
    /// When the system has it.
    #[serde(untagged)]
    Interval(SyncInterval),
}

/// How long the system may keep a request from the disk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct SyncInterval {
    /// At most so long.
    pub interval: Time,
}

/// Every key that a queue can have: a mistake is told better than by trying one kind of queue after the other. Which
/// keys go together is checked later.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(super) struct EitherQueue {
    memory: Option<Size>,
    durable: Option<String>,
    sync: Option<SyncMode>,
    max_bytes: Option<Size>,
    max_age: Option<Time>,
    segment_bytes: Option<Size>,
}

impl From<EitherQueue> for Queue {
    /// What is in memory has no other keys; see `check` for those that were typed all the same.
    fn from(either: EitherQueue) -> Queue {
        let EitherQueue { memory, durable, sync, max_bytes, max_age, segment_bytes } = either;
        if let (Some(memory), None) = (memory, &durable) {
            return Queue::Bounded(BoundedQueue { memory });
        }
        let Some(durable) = durable else { return Queue::Bounded(BoundedQueue::default()) };
        Queue::Durable(DurableQueue {
            durable,
            sync: sync.unwrap_or_else(DurableQueue::sync),
            max_bytes: max_bytes.unwrap_or_else(DurableQueue::max_bytes),
            max_age,
            segment_bytes: segment_bytes.unwrap_or_else(DurableQueue::segment_bytes),
        })
    }
}

impl<'de> Deserialize<'de> for SyncMode {
    /// By hand: an untagged enum would lose the place of a mistake inside.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = SyncMode;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`always` or `{interval: 1s}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SyncMode, E> {
                match text {
                    "always" => Ok(SyncMode::Always),
                    _ => Err(E::unknown_variant(text, &["always", "{interval: 1s}"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SyncMode, A::Error> {
                SyncInterval::deserialize(MapAccessDeserializer::new(map)).map(SyncMode::Interval)
            }
        }

        from.deserialize_any(Either)
    }
}
