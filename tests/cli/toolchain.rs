//! A machine without the WebAssembly target: rustc and rustup are scripts that play one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::sluicebox::{Ran, command, run};

/// Answers for the target's folder, which is empty until rustup fills it; the real one does all else.
const RUSTC: &str = r#"#!/bin/sh
case "$*" in
    *target-libdir*) echo "$MACHINE/lib" ;;
    *) exec rustc "$@" ;;
esac
"#;

/// Builds a crate on a machine whose rustup is that script.
fn build_with(rustup: &str) -> (Ran, tempfile::TempDir) {
    let machine = tempfile::tempdir().unwrap();
    let path = machine.path();
    for folder in ["bin", "lib", "crate", "crate/src"] {
        fs::create_dir(path.join(folder)).unwrap();
    }
    let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    fs::write(path.join("crate/Cargo.toml"), manifest).unwrap();
    fs::write(path.join("crate/src/lib.rs"), "pub fn f() -> u8 { \"\" }\n").unwrap();
    script(&path.join("rustc.sh"), RUSTC);
    script(&path.join("bin/rustup"), rustup);
    let mut command = command(&path.join("crate"), &["plugin", "build"]);
    let paths = format!("{}:{}", path.join("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", paths).env("RUSTC", path.join("rustc.sh")).env("MACHINE", path);
    (run(command), machine)
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_missing_target_is_added_and_that_is_said() {
    let rustup = "#!/bin/sh\necho \"$*\" > \"$MACHINE/asked\"; : > \"$MACHINE/lib/libcore-0.rlib\"\n";
    let (ran, machine) = build_with(rustup);
    assert_eq!(fs::read_to_string(machine.path().join("asked")).unwrap(), "target add wasm32-unknown-unknown\n");
    assert!(ran.err.contains("is missing: running `rustup target add wasm32-unknown-unknown`"), "{}", ran.err);
    assert!(ran.err.contains("src/lib.rs:1:20"), "the build did not go on: {}", ran.err);
}

#[test]
fn a_target_that_cannot_be_added_is_an_error_with_rustups_words() {
    let (ran, _machine) = build_with("#!/bin/sh\necho 'no network today' >&2; exit 1\n");
    assert_eq!(ran.code, 1);
    let told = "error: the Rust target wasm32-unknown-unknown is missing and `rustup target add wasm32-unknown-unknown` \
                failed: no network today\n";
    assert!(ran.err.ends_with(told), "{}", ran.err);
}
