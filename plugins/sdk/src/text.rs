//! Bytes that are known to be text.

/// Text cells hold UTF-8: the host checks every string of a request when it takes it in, and every answer of a
/// plugin before another sees it; the batches of tests are built from `&str`.
#[allow(unsafe_code)]
#[inline]
pub(crate) fn text_of(cell: &[u8]) -> &str {
    // SAFETY: the caller passes bytes that a cell of kind text names, cut where the host cut them, between two
    // whole strings. A host that lied could only harm the plugin inside its own sandbox. Checking again costs
    // more than the rest of reading a cell does (see docs/plugin-authors.md, "What a call costs").
    unsafe { std::str::from_utf8_unchecked(cell) }
}
