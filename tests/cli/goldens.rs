//! Texts that are part of the product, held against files in `tests/cli/goldens`.
//!
//! After a change that is meant: `SLUICEBOX_GOLDENS=write cargo test -p sluicebox --test cli`, then read the diff.

use std::path::Path;

use crate::sluicebox::sluicebox;

/// Holds a text against a golden file.
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cli/goldens").join(name);
    if std::env::var_os("SLUICEBOX_GOLDENS").is_some_and(|mode| mode == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name} differs.\n--- golden\n{golden}\n--- now\n{text}");
}

#[test]
fn help_texts_are_as_they_were_agreed() {
    let verbs: [&[&str]; 16] = [
        &[],
        &["run"],
        &["validate"],
        &["schema"],
        &["plugin"],
        &["plugin", "new"],
        &["plugin", "build"],
        &["plugin", "test"],
        &["plugin", "inspect"],
        &["queue"],
        &["queue", "inspect"],
        &["queue", "export"],
        &["queue", "drain"],
        &["bench"],
        &["bench", "load"],
        &["bench", "sink"],
    ];
    for verb in verbs {
        let arguments = [verb, &["--help"]].concat();
        let help = sluicebox(Path::new("."), &arguments);
        assert_eq!((help.code, help.err.as_str()), (0, ""));
        assert!(help.out.contains("Examples:"), "{arguments:?} has no examples");
        let name = if verb.is_empty() { "sluicebox".to_owned() } else { verb.join("-") };
        assert_golden(&format!("{name}.help.txt"), &help.out);
    }
}

#[test]
fn the_version_names_the_plugin_interface() {
    let short = sluicebox(Path::new("."), &["-V"]);
    assert_eq!(short.out, concat!("sluicebox ", env!("CARGO_PKG_VERSION"), "\n"));
    let long = sluicebox(Path::new("."), &["--version"]);
    assert!(long.out.contains("plugin interface sluicebox:plugin@0.1.0"), "{}", long.out);
}
