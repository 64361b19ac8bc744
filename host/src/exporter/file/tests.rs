//! The file exporter on real files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::config::spec::{Compression, RotationSpec};
use crate::data::json::JsonLimits;
use crate::exporter::testing::{names, spans};

fn spec(path: &Path) -> FileSpec {
    FileSpec { path: path.to_owned(), compression: Compression::None, rotation: None }
}

async fn export(exporter: &FileExporter, batch: &[&str]) -> Result<Outcome, Failure> {
    let requests: Vec<_> = batch.iter().map(|name| spans(&[name]).bytes).collect();
    let frames = exporter.prepare(Signal::Traces, &requests).await.unwrap();
    exporter.attempt(&frames).await
}

/// The span names of each line.
fn lines_of(text: &str) -> Vec<String> {
    assert!(text.is_empty() || text.ends_with('\n'), "a partial line");
    let decode = |line: &str| json::decode(Signal::Traces, line.as_bytes(), &JsonLimits::default()).unwrap();
    text.lines().map(|line| names(&decode(line)).join(",")).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The rotated files beside `traces.jsonl`, oldest first.
fn rotated(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.file_name().unwrap() != "traces.jsonl").collect();
    all.sort();
    all
}

#[tokio::test]
async fn each_request_is_a_line_of_otlp_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let exporter = FileExporter::open(&spec(&path)).unwrap();
    export(&exporter, &["a", "b"]).await.unwrap();
    export(&exporter, &["c"]).await.unwrap();
    assert_eq!(lines_of(&read(&path)), ["a", "b", "c"]);
    assert!(read(&path).starts_with(r#"{"resourceSpans":["#));
    drop(exporter);
    let exporter = FileExporter::open(&spec(&path)).unwrap();
    export(&exporter, &["d"]).await.unwrap();
    assert_eq!(lines_of(&read(&path)), ["a", "b", "c", "d"], "a restart appends");
}

#[tokio::test]
async fn compressed_files_are_readable_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let path = folder.path().join(format!("{compression:?}"));
        let exporter = FileExporter::open(&FileSpec { compression, ..spec(&path) }).unwrap();
        export(&exporter, &["a"]).await.unwrap();
        export(&exporter, &["b"]).await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut text = String::new();
        match compression {
            Compression::Gzip => drop(flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
            _ => text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap(),
        }
        assert_eq!(lines_of(&text), ["a", "b"]);
    }
}

#[tokio::test]
async fn a_full_file_is_rotated_and_only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let other = folder.path().join("traces-of-somebody-else.jsonl");
    std::fs::write(&other, "not ours").unwrap();
    let rotation = Some(RotationSpec { max_bytes: 300, max_age: None, max_backups: 2 });
    let exporter = FileExporter::open(&FileSpec { rotation, ..spec(&path) }).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        export(&exporter, &[name]).await.unwrap();
    }
    assert_eq!(lines_of(&read(&path)), ["e"]);
    assert_eq!(read(&other), "not ours");
    let old: Vec<_> = rotated(folder.path()).into_iter().filter(|path| *path != other).collect();
    assert_eq!(old.iter().map(|path| lines_of(&read(path)).concat()).collect::<Vec<_>>(), ["c", "d"]);
    let name = old[0].file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("traces-20") && name.ends_with(".jsonl") && name.len() == "traces-.jsonl".len() + 23,
        "{name}"
    );
}

#[tokio::test]
async fn an_old_file_is_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let max_age = Some(Duration::from_secs(1));
    let rotation = Some(RotationSpec { max_bytes: u64::MAX, max_age, max_backups: 100 });
    let exporter = FileExporter::open(&FileSpec { rotation, ..spec(&path) }).unwrap();
    export(&exporter, &["a"]).await.unwrap();
    assert_eq!(rotated(folder.path()).len(), 0);
    tokio::time::sleep(Duration::from_millis(1010)).await;
    export(&exporter, &["b"]).await.unwrap();
    assert_eq!((rotated(folder.path()).len(), lines_of(&read(&path))), (1, vec!["b".to_owned()]));
}

#[test]
fn a_missing_folder_is_told_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/traces.jsonl");
    let error = FileExporter::open(&spec(&path)).unwrap_err().to_string();
    let missing = folder.path().join("missing").display().to_string();
    assert_eq!(
        error,
        format!(
            "the file `{missing}/traces.jsonl` cannot be written: there is no folder `{missing}`; create it with `mkdir -p '{missing}'`"
        )
    );
    assert!(FileExporter::open(&spec(folder.path())).is_err(), "a folder is not a file");
}

#[tokio::test]
async fn half_a_line_of_a_killed_process_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    std::fs::write(&path, r#"{"resourceSp"#).unwrap();
    let exporter = FileExporter::open(&spec(&path)).unwrap();
    export(&exporter, &["a"]).await.unwrap();
    let text = read(&path);
    let (broken, whole) = text.split_once('\n').unwrap();
    assert_eq!((broken, lines_of(whole)), (r#"{"resourceSp"#, vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_full_disk_is_retryable() {
    let exporter = FileExporter::open(&spec(Path::new("/dev/full"))).unwrap();
    let failure = export(&exporter, &["a"]).await.unwrap_err();
    assert!(failure.is_retryable());
    assert!(failure.to_string().starts_with("cannot write to `/dev/full`: "), "{failure}");
}

const PATH_OF_CHILD: &str = "SLUICEBOX_TEST_LIMITED_FILE";

/// A write that stops half-way: the operating system cuts it at a limit on the size of files, which a child
/// process of the test runs under.
#[test]
fn a_write_that_fails_half_way_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let status = Command::new("bash")
        .arg("-c")
        .arg(r#"trap '' XFSZ; ulimit -f 8; exec "$0" --exact exporter::file::tests::writes_under_a_limit --ignored"#)
        .arg(std::env::current_exe().unwrap())
        .env(PATH_OF_CHILD, &path)
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    assert_eq!(lines_of(&read(&path)), ["before", "after"]);
}

#[tokio::test]
#[ignore = "run by a_write_that_fails_half_way_is_taken_back, under a limit"]
async fn writes_under_a_limit() {
    let Some(path) = std::env::var_os(PATH_OF_CHILD) else { return };
    let exporter = FileExporter::open(&spec(Path::new(&path))).unwrap();
    export(&exporter, &["before"]).await.unwrap();
    let large = "x".repeat(20_000);
    assert!(export(&exporter, &[&large]).await.unwrap_err().is_retryable());
    export(&exporter, &["after"]).await.unwrap();
}
