//! The levels of a batch: what a field's column has one cell for.

/// What a column has one entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// Each record: a span, a data point or a log record.
    #[default]
    Record,
    /// Each resource; several records share one.
    Resource,
    /// Each instrumentation scope; several records share one.
    Scope,
    /// Each metric; several data points share one.
    Metric,
    /// Each span event; a span has any number of them.
    Event,
    /// Each span link; a span has any number of them.
    Link,
}

impl Level {
    /// The level of a field, by its path: `resource.attributes["service.name"]` is on [`Level::Resource`].
    pub const fn of(path: &str) -> Level {
        let path = path.as_bytes();
        if starts_with(path, b"resource.") {
            Level::Resource
        } else if starts_with(path, b"scope.") {
            Level::Scope
        } else if starts_with(path, b"metric.") {
            Level::Metric
        } else if starts_with(path, b"span.events.") && !starts_with(path, b"span.events.count") {
            Level::Event
        } else if starts_with(path, b"span.links.") && !starts_with(path, b"span.links.count") {
            Level::Link
        } else {
            Level::Record
        }
    }

    /// Whether a record has any number of entries of this level, instead of exactly one.
    pub const fn is_many(self) -> bool {
        matches!(self, Level::Event | Level::Link)
    }
}

/// Whether a path means all attributes of an entry: `….attributes[*]`.
#[doc(hidden)]
pub const fn is_all_attributes(path: &str) -> bool {
    let path = path.as_bytes();
    path.len() >= 3 && matches!(path.split_at(path.len() - 3).1, b"[*]")
}

const fn starts_with(text: &[u8], start: &[u8]) -> bool {
    if text.len() < start.len() {
        return false;
    }
    let mut at = 0;
    while at < start.len() {
        if text[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_follows_from_the_path() {
        assert_eq!(Level::of("resource.attributes[*]"), Level::Resource);
        assert_eq!(Level::of("scope.name"), Level::Scope);
        assert_eq!(Level::of("metric.unit"), Level::Metric);
        assert_eq!(Level::of("span.events.name"), Level::Event);
        assert_eq!(Level::of("span.events.count"), Level::Record);
        assert_eq!(Level::of("span.links.attributes[\"k\"]"), Level::Link);
        assert_eq!(Level::of("attributes[\"k\"]"), Level::Record);
        assert!(is_all_attributes("attributes[*]") && !is_all_attributes("attributes[\"*\"]"));
    }
}
