//! The files of a new crate, with its name, kind and promise put in.

use crate::plugin::Kind;

/// What the three kinds share.
const COMMON: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("common/Cargo.toml.in")),
    ("README.md", include_str!("common/README.md.in")),
    (".gitignore", include_str!("common/gitignore.in")),
    ("pipeline.yaml", include_str!("common/pipeline.yaml.in")),
    ("input.jsonl", include_str!("common/input.jsonl.in")),
];

/// What a kind has of its own.
struct Example {
    summary: &'static str,
    library: &'static str,
    /// One line of JSON, which the pipeline file holds too.
    config: &'static str,
}

const fn example(kind: Kind) -> Example {
    match kind {
        Kind::Filter => Example {
            summary: "Drops the spans of health probes, unless they were slow",
            library: include_str!("filter/lib.rs.in"),
            config: include_str!("filter/config.json.in"),
        },
        Kind::Sampler => Example {
            summary: "Keeps every error and every slow span, and a share of the rest",
            library: include_str!("sampler/lib.rs.in"),
            config: include_str!("sampler/config.json.in"),
        },
        Kind::Transform => Example {
            summary: "Writes the owning team on spans, and removes who the user was",
            library: include_str!("transform/lib.rs.in"),
            config: include_str!("transform/config.json.in"),
        },
    }
}

/// Paths and contents.
pub(super) fn files(name: &str, kind: Kind) -> impl Iterator<Item = (String, String)> {
    let Example { summary, library, config } = example(kind);
    let fill = move |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{kind}}", kind.name())
            .replace("{{summary}}", summary)
            .replace("{{config}}", config.trim_end())
    };
    let own = [("src/lib.rs", library), ("config.json", config)];
    COMMON.into_iter().chain(own).map(move |(path, text)| (path.to_owned(), fill(text)))
}
