//! Runs the binary with a pipeline file in a folder of its own, and looks at it from outside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

/// How long anything may take that a test waits for; a loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running `sluicebox run`, in a folder of its own. Killed when it is dropped.
pub struct Sluicebox {
    child: Child,
    folder: TempDir,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Sluicebox {
    /// Writes `pipeline.yaml` into a new folder, runs it, and waits until it serves. Endpoints with port 0 are best.
    pub fn run(pipeline: &str) -> Sluicebox {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
        Sluicebox::run_in(folder, &["pipeline.yaml"])
    }

    /// Runs the given paths of a folder that is prepared already, and waits until they are served.
    pub fn run_in(folder: TempDir, paths: &[&str]) -> Sluicebox {
        let sluicebox = Sluicebox::spawn_in(folder, paths);
        sluicebox.wait_for_log("metrics and status on ");
        sluicebox
    }

    /// Runs the given paths of a folder, and waits for nothing.
    pub fn spawn_in(folder: TempDir, paths: &[&str]) -> Sluicebox {
        Sluicebox::spawn_with(folder, paths, &[])
    }

    /// Runs the given paths of a folder with more variables in its environment, and waits for nothing.
    pub fn spawn_with(folder: TempDir, paths: &[&str], variables: &[(&str, &str)]) -> Sluicebox {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluicebox"));
        command.arg("run").args(paths).envs(variables.iter().copied());
        Sluicebox::spawn(folder, command)
    }

    /// Runs a pipeline in a shell that does something else before, such as `ulimit -n 64`, and waits until it serves.
    /// Files in the folder `faults` ask it to panic, by their names.
    pub fn run_after(before: &str, pipeline: &str) -> Sluicebox {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
        fs::create_dir(folder.path().join("faults")).unwrap();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{before}; exec \"$0\" run pipeline.yaml"));
        command.arg(env!("CARGO_BIN_EXE_sluicebox")).env("SLUICEBOX_FAULTS", folder.path().join("faults"));
        let sluicebox = Sluicebox::spawn(folder, command);
        sluicebox.wait_for_log("metrics and status on ");
        sluicebox
    }

    fn spawn(folder: TempDir, mut command: Command) -> Sluicebox {
        let mut child = command
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| sink.lock().unwrap().push(line));
        });
        Sluicebox { child, folder, log, reader: Some(reader) }
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as careful editors do: through a rename.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.path(&format!(".{name}.new"));
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    /// Everything that it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The first log line that contains a text; waits for it.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_nth_log(text, 1)
    }

    /// The `nth` (from 1) log line that contains a text; waits for it.
    pub fn wait_for_nth_log(&self, text: &str, nth: usize) -> String {
        let found = || {
            let ended = self.reader.as_ref().is_some_and(JoinHandle::is_finished);
            let line = self.log().into_iter().filter(|line| line.contains(text)).nth(nth - 1);
            assert!(line.is_some() || !ended, "it ended without a log line with `{text}`: {}", self.log().join("\n"));
            line
        };
        wait_for(&format!("log line {nth} with `{text}`"), found, || self.log().join("\n"))
    }

    /// Where a receiver listens: `address("otlp", "grpc")`.
    pub fn address(&self, receiver: &str, transport: &str) -> String {
        let line = self.wait_for_log(&format!("receiver {receiver} listens for {transport} on "));
        line.rsplit(' ').next().unwrap().to_owned()
    }

    /// The base URL of the admin server.
    pub fn admin(&self) -> String {
        self.wait_for_log("metrics and status on ").rsplit(' ').next().unwrap().to_owned()
    }

    /// The body of a path of the admin server.
    pub async fn admin_get(&self, path: &str) -> String {
        reqwest::get(format!("{}{path}", self.admin())).await.unwrap().text().await.unwrap()
    }

    /// `/status`, parsed.
    pub async fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.admin_get("/status").await).unwrap()
    }

    /// The sum of all series of a metric whose labels contain every one of `labels` (`processor="drop"`).
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum(&self.admin_get("/metrics").await, name, labels)
    }

    /// The OTLP JSON lines of a file that an exporter writes, once `enough` of them say so.
    pub fn wait_for_lines(&self, name: &str, enough: impl Fn(&[serde_json::Value]) -> bool) -> Vec<serde_json::Value> {
        let lines = || {
            let lines = read_lines(&self.path(name));
            enough(&lines).then_some(lines)
        };
        wait_for(&format!("enough lines in {name}"), lines, || {
            format!("{:?}\n{}", read_lines(&self.path(name)), self.log().join("\n"))
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits until it ends by itself, or after a signal; the answer is its status and its log.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>, TempDir) {
        let ended = std::cell::RefCell::new(&mut self.child);
        let status = wait_for("the process to end", || ended.borrow_mut().try_wait().unwrap(), String::new);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (status, self.log(), folder)
    }

    /// Kills it with SIGKILL; the answer is its folder.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Ends it with SIGTERM, which must drain it cleanly.
    pub fn stop(self) -> (Vec<String>, TempDir) {
        self.signal("TERM");
        let (status, log, folder) = self.wait();
        assert!(status.success(), "{status}: {}", log.join("\n"));
        (log, folder)
    }
}

impl Drop for Sluicebox {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A loopback address where nobody listens. No other test gets it meanwhile: its host is not `127.0.0.1`, where all of
/// them listen and connect from, and another one each time.
pub fn free_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let host = format!("127.{}.{}.{}", 1 + std::process::id() % 250, 1, NEXT.fetch_add(1, Ordering::Relaxed));
    let listener = std::net::TcpListener::bind((host, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// As [`Sluicebox::metric`], on a page that was read before: what is added up is of one moment, or nearly so.
pub fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    let series = page.lines().filter(|line| {
        let rest = line.strip_prefix(name).unwrap_or("#");
        (rest.starts_with('{') || rest.starts_with(' ')) && labels.iter().all(|label| rest.contains(label))
    });
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Looks again and again until there is an answer; if there never is, the last reason why not is told.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = std::time::SystemTime::now();
    loop {
        let why = match look().await {
            Ok(found) => return found,
            Err(why) => why,
        };
        let waited = started.elapsed().unwrap_or_default();
        assert!(waited < PATIENCE, "waited {waited:?} for {what}: {why}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls until something is there, with what is known if it never comes.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>, known: impl Fn() -> String) -> T {
    let started = std::time::SystemTime::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = started.elapsed().unwrap_or_default();
        assert!(waited < PATIENCE, "waited {waited:?} for {what}; known: {}", known());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All spans of OTLP JSON lines.
pub fn spans(lines: &[serde_json::Value]) -> Vec<&serde_json::Value> {
    records(lines, "resourceSpans", "scopeSpans", "spans")
}

/// All log records of OTLP JSON lines.
pub fn log_records(lines: &[serde_json::Value]) -> Vec<&serde_json::Value> {
    records(lines, "resourceLogs", "scopeLogs", "logRecords")
}

fn records<'a>(lines: &'a [serde_json::Value], outer: &str, inner: &str, leaf: &str) -> Vec<&'a serde_json::Value> {
    let each = |value: &'a serde_json::Value, key: &str| value[key].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for line in lines {
        for resource in each(line, outer) {
            for scope in each(resource, inner) {
                found.extend(each(scope, leaf));
            }
        }
    }
    found
}
