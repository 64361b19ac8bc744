//! Rotated files: `traces.jsonl` becomes `traces-2026-11-21T09-30-00.000.jsonl` (UTC), and the oldest are deleted.

use std::io;
use std::path::{Path, PathBuf};

use crate::exporter::calendar::{Separator, stamp};

/// Length of a stamp in a name: `2026-11-21T09-30-00.000`.
const STAMP: usize = 23;

/// What stands before and after the stamp in the names of rotated files.
fn around(path: &Path) -> (String, String) {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let before = format!("{}-", part(path.file_stem()).unwrap_or_default());
    let after = part(path.extension()).map(|extension| format!(".{extension}")).unwrap_or_default();
    (before, after)
}

/// The first name from that time on (milliseconds since 1970) that is not taken.
pub fn free_name(path: &Path, millis: u64) -> PathBuf {
    let (before, after) = around(path);
    let name = |millis| path.with_file_name(format!("{before}{}{after}", stamp(millis, Separator::Dash)));
    // Each name that is taken is a file that was rotated in that millisecond: there cannot be many.
    let taken = (millis..millis.saturating_add(10_000)).find(|millis| !name(*millis).exists());
    name(taken.unwrap_or(millis))
}

/// Deletes the oldest rotated files beyond `keep`.
pub fn prune(path: &Path, keep: usize) -> io::Result<()> {
    let (before, after) = around(path);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after)).is_some_and(is_stamp))
        .collect();
    names.sort_unstable();
    names.iter().rev().skip(keep).try_for_each(|name| std::fs::remove_file(folder.join(name)))
}

/// Whether text has the form of a stamp, so that no other file beside it is ever deleted.
fn is_stamp(text: &str) -> bool {
    let form = b"0000-00-00T00-00-00.000";
    text.len() == STAMP
        && text.bytes().zip(form).all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form })
}
