//! The way of a plugin: `new`, `test`, `build`, `inspect`, outside the repository, with the real cargo.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::goldens::assert_golden;
use crate::sluicebox::{Ran, command, run, sluicebox};

/// Runs the binary with one target directory for all crates of a test, so that the SDK is compiled once.
fn building(folder: &Path, target: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(folder, arguments);
    command.env("CARGO_TARGET_DIR", target);
    run(command)
}

/// A folder outside the repository, the same in each run of one checkout: with new paths in each, the target directory
/// would grow with each.
fn folder_outside() -> PathBuf {
    let mut checkout = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut checkout);
    let folder = std::env::temp_dir().join(format!("sluicebox-cli-{:016x}", checkout.finish()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn a_new_plugin_of_each_kind_passes_its_tests_and_loads_at_once() {
    let folder = &*folder_outside();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-plugins");
    for kind in ["filter", "sampler", "transform"] {
        let name = format!("my-{kind}");
        let new = sluicebox(folder, &["plugin", "new", &name, "--kind", kind]);
        assert_eq!(new.code, 0, "{}", new.err);
        assert_golden(&format!("plugin-new-{kind}.txt"), &new.out);

        let crate_folder = folder.join(&name);
        let test = building(&crate_folder, &target, &["plugin", "test"]);
        assert_eq!(test.code, 0, "{}\n{}", test.out, test.err);
        assert!(test.out.contains("2 passed"), "{}", test.out);
        assert!(test.out.contains(&format!("{name} 0.1.0 ({kind}, ")), "{}", test.out);
        assert!(test.out.contains(&format!("{name} takes ./config.json")), "{}", test.out);
        assert!(!test.err.contains("warning"), "a new plugin has warnings: {}", test.err);

        let build = building(folder, &target, &["plugin", "build", &name]);
        assert!(build.code == 0 && build.out.contains(&format!("my_{kind}.wasm ({kind}, ")), "{build:?}");
    }
    fields_follow_the_config(folder, &target);
    a_config_that_is_refused_fails_the_test(folder, &target);
    std::fs::remove_dir_all(folder).unwrap();
}

/// `inspect` of a folder asks with the crate's own config.
fn fields_follow_the_config(folder: &Path, target: &Path) {
    let inspected = building(folder, target, &["plugin", "inspect", "my-transform", "--format", "json"]);
    assert_eq!(inspected.code, 0, "{}", inspected.err);
    let told: Value = serde_json::from_str(&inspected.out).unwrap();
    assert_eq!(told["kind"], "transform");
    assert_eq!(told["fields"]["reads"], serde_json::json!(["resource.attributes[\"service.name\"]"]));
    let writes = ["span.attributes[\"team\"]", "span.attributes[\"user.email\"]"];
    assert_eq!(told["fields"]["writes"], serde_json::json!(writes));
    assert_eq!(told["config_schema"]["required"], serde_json::json!(["teams"]));
}

fn a_config_that_is_refused_fails_the_test(folder: &Path, target: &Path) {
    let config = folder.join("bad.json");
    std::fs::write(&config, r#"{ "base": 10 }"#).unwrap();
    let config = config.to_str().unwrap();
    let test = building(folder, target, &["plugin", "test", "my-sampler", "--config", config]);
    assert_eq!(test.code, 1, "{}", test.out);
    assert!(test.err.contains("refuses") && test.err.contains("base: expected a share from 0 to 1"), "{}", test.err);
}

#[test]
fn plugin_new_refuses_to_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/notes.txt"), "x").unwrap();
    let ran = sluicebox(folder.path(), &["plugin", "new", "mine"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(
        ran.err,
        "error: mine is there already and not empty: nothing was written; name another folder with --path\n"
    );
    let elsewhere = sluicebox(folder.path(), &["plugin", "new", "mine", "--path", "a/b"]);
    assert!(elsewhere.code == 0 && folder.path().join("a/b/src/lib.rs").is_file(), "{}", elsewhere.err);
}

/// A crate that needs nothing but the compiler.
fn bare_crate(library: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), library).unwrap();
    folder
}

#[test]
fn a_crate_that_does_not_compile_shows_the_compilers_words() {
    let folder = bare_crate("pub fn f() -> u8 { \"\" }\n");
    let ran = sluicebox(folder.path(), &["plugin", "build"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("does not compile") && ran.err.contains("src/lib.rs:1:20"), "{}", ran.err);
}

#[test]
fn a_wasm_that_is_no_plugin_is_told_what_it_lacks() {
    let folder = bare_crate("");
    let ran = sluicebox(folder.path(), &["plugin", "build"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("a.wasm: ") && ran.err.contains("sluicebox:plugin/lifecycle@0.1.0"), "{}", ran.err);
}

#[test]
fn what_is_no_plugin_is_told_with_what_there_is() {
    let ran = sluicebox(Path::new("."), &["plugin", "inspect", "dorp"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: there is no standard plugin `dorp` (they are: "), "{}", ran.err);
    assert!(ran.err.contains("drop") && ran.err.ends_with("nor a file or folder of that name\n"), "{}", ran.err);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wasm"), "no wasm").unwrap();
    let ran = sluicebox(folder.path(), &["plugin", "inspect", "a.wasm"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: a.wasm: not a WebAssembly file"), "{}", ran.err);
}

/// What `inspect` says of a standard plugin: digest and size are those of the build, so they are cut out.
#[test]
fn inspect_tells_all_of_a_standard_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let unasked = sluicebox(folder.path(), &["plugin", "inspect", "drop"]);
    assert_eq!(unasked.code, 0, "{}", unasked.err);
    assert_golden("inspect-drop.txt", &without_build(&unasked.out));

    let config = r#"{ "span.attributes[\"http.route\"]": ["/healthz", "/readyz"] }"#;
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let arguments = ["plugin", "inspect", "drop", "--config", "config.json", "--format", "json"];
    let asked = sluicebox(folder.path(), &arguments);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let told: Value = serde_json::from_str(&asked.out).unwrap();
    assert_eq!(told["fields"]["reads"], serde_json::json!(["span.attributes[\"http.route\"]"]));
    assert_eq!((told["kind"].as_str(), told["sha256"].as_str().map(str::len)), (Some("filter"), Some(64)));
}

#[test]
fn inspect_with_a_config_that_is_refused_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), "{}").unwrap();
    let ran = sluicebox(folder.path(), &["plugin", "inspect", "drop", "--config", "config.json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("not known: it refuses the config"), "{}", ran.out);
}

#[test]
fn the_schema_takes_the_config_of_standard_plugins() {
    let ran = sluicebox(Path::new("."), &["schema"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let schema: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(schema["$defs"]["plugin-drop"].is_object(), "{}", ran.out);
}

fn without_build(text: &str) -> String {
    let line = |line: &str| match line.split_once("  ") {
        Some(("file", _)) => "file       …".to_owned(),
        Some(("sha256", _)) => "sha256     …".to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|l| line(l) + "\n").collect()
}
