//! What cargo prints while it builds: JSON messages, one a line (Cargo book, "External tools"), and the list of files
//! that the compiler read.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::Deserialize;

/// Bytes of compiler errors that are kept: the first ones, as the later ones often follow from them.
const ERRORS_BYTES_MAX: usize = 16 << 10;
/// Bytes of cargo's own complaint that are kept: the last ones.
const COMPLAINT_BYTES_MAX: usize = 8 << 10;
/// A message longer than this is not looked at.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What came of a build.
pub(super) struct Outcome {
    /// Whether cargo says that it worked.
    pub success: bool,
    /// The `.wasm` of the package.
    pub wasm: Option<PathBuf>,
    /// What the compiler, or else cargo, says.
    pub errors: String,
}

#[derive(Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-message")]
    Diagnosed { message: Diagnostic },
    #[serde(rename = "compiler-artifact")]
    Made { package_id: String, filenames: Vec<PathBuf> },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

/// Runs cargo to its end and reads both of its outputs as they come.
pub(super) fn run(mut cargo: Command, package: &str) -> io::Result<Outcome> {
    cargo.env("CARGO_TERM_COLOR", "never").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = cargo.spawn()?;
    let stderr = child.stderr.take();
    let complaint = thread::spawn(move || stderr.map(last_bytes).unwrap_or_default());
    let mut outcome = Outcome { success: false, wasm: None, errors: String::new() };
    if let Some(stdout) = child.stdout.take() {
        read_messages(BufReader::new(stdout), package, &mut outcome)?;
    }
    outcome.success = child.wait()?.success();
    let complaint = complaint.join().unwrap_or_default();
    if outcome.errors.is_empty() {
        outcome.errors = complaint;
    }
    Ok(outcome)
}

fn read_messages(mut stdout: impl BufRead, package: &str, outcome: &mut Outcome) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if stdout.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        match serde_json::from_slice(&line) {
            Ok(Message::Diagnosed { message }) if message.level.starts_with("error") => {
                add_error(&mut outcome.errors, message.rendered.as_deref().unwrap_or_default());
            }
            Ok(Message::Made { package_id, filenames }) if package_id == package => {
                let wasm = filenames.into_iter().find(|path| path.extension().is_some_and(|e| e == "wasm"));
                outcome.wasm = wasm.or(outcome.wasm.take());
            }
            _ => {}
        }
    }
}

fn add_error(errors: &mut String, rendered: &str) {
    if errors.len() + rendered.len() <= ERRORS_BYTES_MAX {
        errors.push_str(rendered);
    } else if errors.is_empty() {
        errors.push_str(&rendered[..rendered.floor_char_boundary(ERRORS_BYTES_MAX)]);
    }
}

/// The end of a text.
pub(super) fn tail(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

/// Reads to the end and keeps the end.
fn last_bytes(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let over = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The files of a `.d` file, which lies beside an artifact: `artifact: file file …`, a blank in a name escaped. Some
/// of them only the compiler knows of, such as what `include_str!` names.
pub(super) fn dependencies(list: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let files = text.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, files)| files);
    let names = files.replace("\\ ", "\0");
    names.split_whitespace().map(|name| PathBuf::from(name.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_are_one_dependency() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("a.d");
        std::fs::write(&list, "/t/a.wasm: /s/src/lib.rs /s/my\\ file.txt\n").unwrap();
        assert_eq!(dependencies(&list), [Path::new("/s/src/lib.rs"), Path::new("/s/my file.txt")]);
        assert!(dependencies(&folder.path().join("none.d")).is_empty());
    }

    #[test]
    fn of_a_long_complaint_the_end_is_kept() {
        let text = format!("{}é", "x".repeat(2 * COMPLAINT_BYTES_MAX));
        let kept = last_bytes(text.as_bytes());
        assert!(kept.len() <= COMPLAINT_BYTES_MAX && kept.ends_with("xé"));
        assert_eq!(tail("aéb", 2), "b");
    }
}
