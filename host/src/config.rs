//! Pipeline files: as typed (`raw`), valid by construction ([`spec`]), and every problem in between.
//!
//! A file is read once into a located tree (`tree`), in which `${env:NAME}` is already replaced. Each component is
//! read from its part of the tree with serde (`read`); what serde refuses is reported, cut out of the tree, and
//! the rest is read again, so that one run finds every mistake. `check` then turns what was typed into a [`Spec`]:
//! references resolve, numbers are in range, paths exist. Nothing here opens a socket or a plugin.

mod address;
mod check;
mod diff;
mod env;
#[cfg(test)]
mod goldens;
mod load;
mod otel;
mod problem;
mod raw;
mod read;
mod report;
mod schema;
mod source;
pub mod spec;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use diff::{Changes, Diff, diff};
pub use load::{Loaded, load, load_text};
pub use problem::{Excerpt, Problem, Problems, Severity};
pub use schema::{PluginSchema, schema};
pub use spec::Spec;

/// The plugins that the binary carries: what `plugin:` may name without a path.
pub const STANDARD_PLUGINS: [&str; 4] = ["attributes", "drop", "redact", "sample"];

/// A span of time as pipeline files write it: `20ms`, `1m30s`.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    value::Time::parse(text).map(|value::Time(duration)| duration)
}

/// The candidate that was probably meant, if one is close enough.
fn closest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |c: &str| strsim::jaro_winkler(typed, c).max(if c.starts_with(typed) { 0.9 } else { 0.0 });
    candidates
        .into_iter()
        .map(|c| (near(c), c))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// The mend for a name that is not in `candidates`: the one that was probably meant, else all of them.
fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = closest(typed, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|c| format!("`{c}`")).collect();
    match all.as_slice() {
        [] => None,
        [only] => Some(format!("expected {only}")),
        _ => Some(format!("expected one of {}", all.join(", "))),
    }
}
