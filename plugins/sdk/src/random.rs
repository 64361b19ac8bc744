//! Randomness, not for secrets. A plugin that calls these needs the grant `random`.

/// Uniform over all 64-bit numbers.
pub fn next() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::random::next();
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::imports::random();
}

/// Uniform over 0 (included) to 1 (excluded).
pub fn unit() -> f64 {
    // The 53 bits that a double holds exactly.
    (next() >> 11) as f64 / (1u64 << 53) as f64
}
