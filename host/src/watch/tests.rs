//! Real files, real events; every wait is on the channel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::eyes::Eyes;
use super::{Change, Timing, WatchSet, Watcher};

/// A change must be there by then.
const SOON: Duration = Duration::from_secs(60);
/// Checks so rare that only an event can be the cause.
const BY_EVENT: Timing = Timing {
    quiet: Duration::from_millis(200),
    longest: Duration::from_secs(2),
    check_every: Duration::from_secs(3600),
};
/// Checks so often that tests are quick.
const BY_CHECK: Timing = Timing { check_every: Duration::from_millis(20), ..BY_EVENT };

/// A folder with watched files.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        Scene { dir: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// As editors save: a new file beside the old one, renamed over it.
    fn rename_over(&self, name: &str, text: &str) {
        let beside = self.write(".new~", text);
        fs::rename(beside, self.at(name)).unwrap();
    }
}

fn files<const N: usize>(files: [&Path; N]) -> WatchSet {
    WatchSet { files: files.map(Path::to_owned).to_vec(), ..WatchSet::default() }
}

/// As on a machine whose limit of watches is reached.
fn no_events() -> Eyes {
    Eyes::adopt(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)))
}

fn by_check(set: WatchSet) -> (Watcher, Receiver<Change>) {
    Watcher::start_with(set, BY_CHECK, |_| no_events())
}

async fn next(changes: &mut Receiver<Change>) -> Change {
    timeout(SOON, changes.recv()).await.expect("no change was reported").expect("the watcher ended")
}

fn changed<const N: usize>(paths: [&Path; N]) -> Change {
    Change { paths: paths.map(Path::to_owned).to_vec(), missing: Vec::new() }
}

fn missing(path: &Path) -> Change {
    Change { paths: vec![path.to_owned()], missing: vec![path.to_owned()] }
}

#[tokio::test]
async fn a_rename_over_the_file_is_seen_each_time() {
    let scene = Scene::new();
    let file = scene.write("p.yaml", "0");
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), BY_EVENT);
    for text in ["1", "2", "3"] {
        scene.rename_over("p.yaml", text);
        assert_eq!(next(&mut changes).await, changed([&file]));
    }
}

#[tokio::test]
async fn a_write_in_place_is_seen() {
    let scene = Scene::new();
    let file = scene.write("p.yaml", "0");
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), BY_EVENT);
    scene.write("p.yaml", "1");
    assert_eq!(next(&mut changes).await, changed([&file]));
}

#[tokio::test]
async fn the_same_content_is_no_change() {
    let scene = Scene::new();
    let (touched, marker) = (scene.write("a.yaml", "same"), scene.write("b.yaml", "0"));
    let (_watcher, mut changes) = Watcher::start_timed(files([&touched, &marker]), BY_EVENT);
    scene.write("a.yaml", "same");
    scene.rename_over("a.yaml", "same");
    scene.write("b.yaml", "1");
    assert_eq!(next(&mut changes).await, changed([&marker]));
}

#[tokio::test]
async fn f81_a_file_written_in_pieces_is_one_change_when_it_is_quiet() {
    use std::io::Write;
    let scene = Scene::new();
    let file = scene.write("plugin.wasm", "");
    // Patient, so that a busy machine does not pause for longer between two pieces.
    let timing = Timing { quiet: Duration::from_secs(1), longest: Duration::from_secs(20), ..BY_EVENT };
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), timing);
    let mut open = fs::File::create(&file).unwrap();
    for _ in 0..200 {
        open.write_all(&[1; 1000]).unwrap();
        open.flush().unwrap();
    }
    drop(open);
    assert_eq!(next(&mut changes).await, changed([&file]));
    // Nothing of it is left over: the next change is the next write.
    let marker = scene.write("plugin.wasm", "other");
    assert_eq!(next(&mut changes).await, changed([&marker]));
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn a_file_that_never_rests_is_reported_all_the_same() {
    let scene = Scene::new();
    let file = scene.write("p.yaml", "0");
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), BY_EVENT);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (stop, file) = (stop.clone(), file.clone());
        move || {
            let mut count = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                count += 1;
                fs::write(&file, count.to_string()).unwrap();
            }
        }
    });
    let change = next(&mut changes).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    assert_eq!(change.paths, [file]);
}

#[tokio::test]
async fn a_busy_neighbour_delays_nothing() {
    let scene = Scene::new();
    let file = scene.write("p.yaml", "0");
    let patient = Timing { longest: Duration::from_secs(3600), ..BY_EVENT };
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), patient);
    let log = scene.write("out.jsonl", "");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let busy = std::thread::spawn(move || {
        let mut line = 0;
        // Ends when the other side is dropped.
        while stopped.recv_timeout(Duration::from_millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            line += 1;
            fs::write(&log, format!("{line}")).unwrap();
        }
    });
    scene.write("p.yaml", "1");
    assert_eq!(next(&mut changes).await, changed([&file]));
    drop(stop);
    busy.join().unwrap();
}

#[tokio::test]
async fn f82_a_deleted_file_is_reported_as_missing_and_its_return_as_a_change() {
    let scene = Scene::new();
    let file = scene.write("plugin.wasm", "0");
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), BY_EVENT);
    fs::remove_file(&file).unwrap();
    assert_eq!(next(&mut changes).await, missing(&file));
    scene.write("plugin.wasm", "0");
    assert_eq!(next(&mut changes).await, changed([&file]));
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_still_watched() {
    let scene = Scene::new();
    let file = scene.write("plugins/a.wasm", "0");
    let (_watcher, mut changes) = Watcher::start_timed(files([&file]), BY_CHECK);
    fs::remove_dir_all(scene.at("plugins")).unwrap();
    assert_eq!(next(&mut changes).await, missing(&file));
    for text in ["1", "2"] {
        scene.write("plugins/a.wasm", text);
        assert_eq!(next(&mut changes).await, changed([&file]));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn f84_a_config_map_that_swaps_its_data_link_is_a_change() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new();
    scene.write("..2026_01/p.yaml", "0");
    symlink("..2026_01", scene.at("..data")).unwrap();
    symlink("..data/p.yaml", scene.at("p.yaml")).unwrap();
    let file = scene.at("p.yaml");
    let dirs = WatchSet { dirs: vec![scene.dir.path().to_owned()], ..WatchSet::default() };
    let (_by_file, mut of_file) = Watcher::start_timed(files([&file]), BY_EVENT);
    let (_by_dir, mut of_dir) = Watcher::start_timed(dirs, BY_EVENT);
    // Twice: a watch on the first target's folder would miss the second swap.
    for (before, after) in [("..2026_01", "..2026_02"), ("..2026_02", "..2026_03")] {
        scene.write(&format!("{after}/p.yaml"), after);
        symlink(after, scene.at("..data_tmp")).unwrap();
        fs::rename(scene.at("..data_tmp"), scene.at("..data")).unwrap();
        fs::remove_dir_all(scene.at(before)).unwrap();
        assert_eq!(next(&mut of_file).await, changed([&file]));
        assert_eq!(next(&mut of_dir).await, changed([&file]));
    }
}

#[tokio::test]
async fn f85_without_file_events_the_periodic_check_finds_every_change() {
    let scene = Scene::new();
    let file = scene.write("p.yaml", "0");
    let (_watcher, mut changes) = by_check(files([&file]));
    scene.write("p.yaml", "1");
    assert_eq!(next(&mut changes).await, changed([&file]));
    scene.rename_over("p.yaml", "2");
    assert_eq!(next(&mut changes).await, changed([&file]));
    fs::remove_file(&file).unwrap();
    assert_eq!(next(&mut changes).await, missing(&file));
    scene.write("p.yaml", "2");
    assert_eq!(next(&mut changes).await, changed([&file]));
}

#[tokio::test]
async fn pipeline_files_that_come_and_go_in_a_folder_are_changes() {
    let scene = Scene::new();
    let first = scene.write("a.yaml", "0");
    let set = WatchSet { dirs: vec![scene.dir.path().to_owned()], ..WatchSet::default() };
    let (_watcher, mut changes) = Watcher::start_timed(set, BY_EVENT);
    scene.write("notes.txt", "no pipeline");
    let second = scene.write("b.yml", "0");
    assert_eq!(next(&mut changes).await, changed([&second]));
    fs::remove_file(&first).unwrap();
    assert_eq!(next(&mut changes).await, missing(&first));
}

#[tokio::test]
async fn sources_in_a_folder_that_is_new_are_seen() {
    let scene = Scene::new();
    scene.write("Cargo.toml", "");
    scene.write("src/lib.rs", "");
    let set = WatchSet { crates: vec![scene.dir.path().to_owned()], ..WatchSet::default() };
    let (_watcher, mut changes) = Watcher::start_timed(set, BY_EVENT);
    scene.write("target/debug/out.rs", "not a source");
    let rule = scene.write("src/rules/one.rs", "0");
    assert_eq!(next(&mut changes).await, changed([&rule]));
    scene.write("src/rules/one.rs", "1");
    assert_eq!(next(&mut changes).await, changed([&rule]));
}

#[tokio::test]
async fn another_set_keeps_what_was_known_and_takes_the_new_as_it_is() {
    let scene = Scene::new();
    let (old, kept, new) = (scene.write("old", "0"), scene.write("kept", "0"), scene.write("new", "0"));
    let (watcher, mut changes) = Watcher::start_timed(files([&old, &kept]), BY_EVENT);
    watcher.watch(files([&kept, &new]));
    scene.write("old", "1");
    scene.write("kept", "1");
    assert_eq!(next(&mut changes).await, changed([&kept]));
    scene.write("new", "1");
    assert_eq!(next(&mut changes).await, changed([&new]));
}

#[tokio::test]
async fn a_change_that_no_event_told_is_found_when_the_set_is_replaced() {
    let scene = Scene::new();
    let kept = scene.write("kept", "0");
    let (watcher, mut changes) = Watcher::start_with(files([&kept]), BY_EVENT, |_| no_events());
    scene.write("kept", "1");
    watcher.watch(files([&kept]));
    assert_eq!(next(&mut changes).await, changed([&kept]));
}

#[tokio::test]
async fn changes_that_nobody_takes_are_merged_and_not_lost() {
    let scene = Scene::new();
    let (noisy, last) = (scene.write("noisy", ""), scene.write("last", "0"));
    let (_watcher, mut changes) = by_check(files([&noisy, &last]));
    for round in 0..super::CHANGES_MAX {
        scene.write("noisy", &round.to_string());
        timeout(SOON, async {
            while changes.len() <= round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the channel fills");
    }
    scene.write("last", "1");
    for _ in 0..super::CHANGES_MAX {
        assert_eq!(next(&mut changes).await, changed([&noisy]));
    }
    assert_eq!(next(&mut changes).await, changed([&last]));
}

#[tokio::test]
async fn a_dropped_watcher_ends_its_channel() {
    let scene = Scene::new();
    let (watcher, mut changes) = Watcher::start(files([&scene.at("none")]), Duration::from_millis(10));
    drop(watcher);
    assert_eq!(timeout(SOON, changes.recv()).await.unwrap(), None);
}
