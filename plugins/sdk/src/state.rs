//! State that the host keeps, shared by all instances of the stage, lost when the process ends. A plugin that calls
//! these needs the grant `state`; the stage's quota bounds it.

use std::time::Duration;

pub use crate::bindings::state::Refusal;

/// The bytes under a key, if any are there and not expired.
pub fn get(key: &str) -> Option<Vec<u8>> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::state::get(key);
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::state_get(key);
}

/// Puts bytes under a key, for a time to live (counted in milliseconds) or for good.
pub fn put(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Refusal> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::state::put(key, value, ttl.map(milliseconds));
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::state_put(key, value, ttl);
}

/// Adds to the integer under a key (0 if none is there) and answers with the sum; if the sum would be greater than
/// `at_most`, changes nothing and answers with `None`. One atomic step. The time to live starts when the key is
/// made.
pub fn compare_and_add(
    key: &str,
    delta: i64,
    at_most: Option<i64>,
    ttl: Option<Duration>,
) -> Result<Option<i64>, Refusal> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::state::compare_and_add(key, delta, at_most, ttl.map(milliseconds));
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::state_add(key, delta, at_most, ttl);
}

#[cfg(target_family = "wasm")]
fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}
