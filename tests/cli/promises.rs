//! The README's promises: each line links to the tests that prove it, and those tests are there.

use std::fs;
use std::path::Path;

/// Where the promises stand.
const HEADING: &str = "## What we promise";

#[test]
fn every_promise_links_to_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, promises) = readme.split_once(HEADING).expect("the section");
    let promises = promises.split("\n## ").next().unwrap();
    let items: Vec<&str> = promises.split("\n- ").skip(1).collect();
    assert!(items.len() > 10, "{} promises", items.len());
    for item in items {
        let links: Vec<(&str, &str)> = links(item).collect();
        assert!(!links.is_empty(), "no test is named: {item}");
        for (name, path) in links {
            let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            let is_test = text.contains(&format!("fn {name}("));
            assert!(is_test || !path.ends_with(".rs"), "{path} has no test {name}");
        }
    }
}

/// The links of a promise: what is shown, and where it leads.
fn links(item: &str) -> impl Iterator<Item = (&str, &str)> {
    item.split("[`").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("`](")?;
        Some((name, rest.split_once(')')?.0))
    })
}
