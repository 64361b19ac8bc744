//! The time. A plugin that calls these needs the grant `clock`.

use std::time::Duration;

use crate::Time;

/// Now.
pub fn now() -> Time {
    #[cfg(target_family = "wasm")]
    return Time(crate::bindings::clock::now());
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::now();
}

/// Since some moment in the past; never goes back.
pub fn monotonic() -> Duration {
    #[cfg(target_family = "wasm")]
    return Duration::from_nanos(crate::bindings::clock::monotonic());
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::monotonic();
}
