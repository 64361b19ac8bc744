//! What is made of files, and made anew when they change: certificates, tokens, passwords.
//!
//! The files are read again at most once an interval, when somebody is about to use what was made of them, and at
//! once where a fresh answer matters (a connection is opened, a peer refused a token). Content decides, not a time
//! stamp, so a rename, a symbolic link that moves (as Kubernetes does it) and a write in place are all seen. What
//! cannot be used leaves the old in force, and is told once for each content (F17).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::BuildError;
use super::access::Meter;

/// Bytes of one file that are read: a bundle of every public root is a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Makes the thing of the content of its files, in their order.
type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<T, BuildError> + Send + Sync;

/// A thing that is made of files. Shared by everybody who uses it.
pub struct Reread<T> {
    what: &'static str,
    files: Arc<[PathBuf]>,
    make: Arc<Make<T>>,
    current: ArcSwap<T>,
    interval: Duration,
    last: Mutex<Last>,
    meter: Meter,
}

/// The last look at the files.
struct Last {
    at: Instant,
    print: Print,
}

/// What the files held, or why they could not be read, as a hash.
type Print = [u8; 32];

impl<T> fmt::Debug for Reread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").field("what", &self.what).field("files", &self.files).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Reread<T> {
    /// Reads the files for the first time; what is wrong with them now is an error. `what` names the thing in the
    /// log and in the metrics.
    pub fn open(
        what: &'static str,
        files: Vec<PathBuf>,
        interval: Duration,
        meter: Meter,
        make: impl Fn(&[Vec<u8>]) -> Result<T, BuildError> + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let (print, content) = read(&files);
        let current = ArcSwap::from_pointee(make(&content?)?);
        let last = Mutex::new(Last { at: Instant::now(), print });
        Ok(Reread { what, files: files.into(), make: Arc::new(make), current, interval, last, meter })
    }

    /// What was made of the files last.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Looks at the files if the interval is over.
    pub async fn refresh_if_due(&self) {
        if !self.files.is_empty() && self.last.lock().at.elapsed() >= self.interval {
            self.refresh().await;
        }
    }

    /// Looks at the files now.
    pub async fn refresh(&self) {
        if self.files.is_empty() {
            return;
        }
        self.last.lock().at = Instant::now();
        let (files, make, seen) = (Arc::clone(&self.files), Arc::clone(&self.make), self.last.lock().print);
        let look = move || {
            let (print, content) = read(&files);
            (print, (print != seen).then(|| content.and_then(|content| make(&content))))
        };
        // A file system that hangs holds up this user alone, not its thread.
        let Ok((print, Some(made))) = tokio::task::spawn_blocking(look).await else { return };
        let mut last = self.last.lock();
        if last.print == print {
            return;
        }
        last.print = print;
        let exporter = self.meter.exporter();
        match made {
            Ok(made) => {
                self.current.store(Arc::new(made));
                self.meter.applied(self.what);
                tracing::info!(
                    exporter,
                    credential = self.what,
                    "the files of a credential changed and are used from now on"
                );
            }
            Err(error) => {
                self.meter.refused(self.what);
                tracing::warn!(
                    exporter,
                    credential = self.what,
                    "the files of a credential changed, but the old ones stay in use: {error}"
                );
            }
        }
    }
}

/// The content of the files, and a hash of it.
fn read(files: &[PathBuf]) -> (Print, Result<Vec<Vec<u8>>, BuildError>) {
    let content: Result<Vec<_>, _> = files.iter().map(|path| read_one(path)).collect();
    let mut hash = Sha256::new();
    match &content {
        Ok(all) => all.iter().for_each(|one| {
            hash.update((one.len() as u64).to_be_bytes());
            hash.update(one);
        }),
        Err(error) => hash.update(error.to_string()),
    }
    (hash.finalize().into(), content)
}

fn read_one(path: &Path) -> Result<Vec<u8>, BuildError> {
    let refused = |why: String| BuildError::SecretFile { path: path.to_owned(), why };
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_BYTES_MAX + 1), &mut content)
        .map_err(|error| refused(error.to_string()))?;
    match content.len() as u64 > FILE_BYTES_MAX {
        true => Err(refused("it is over 1 MiB".to_owned())),
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &[Vec<u8>]) -> Result<String, BuildError> {
        let text = content.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect::<Vec<_>>().concat();
        match text.contains("bad") {
            true => Err(BuildError::Tls { why: "it is bad".to_owned() }),
            false => Ok(text),
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn open(files: Vec<PathBuf>, interval: Duration, meter: &Meter) -> Result<Reread<String>, BuildError> {
        Reread::open("bearer_token", files, interval, meter.clone(), text)
    }

    #[tokio::test]
    async fn f17_changed_files_are_read_anew_and_bad_ones_keep_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "one").unwrap();
        let meter = Meter::default();
        let token = open(vec![file.clone()], Duration::ZERO, &meter).unwrap();
        let patient = open(vec![file.clone()], HOUR, &Meter::default()).unwrap();
        std::fs::write(&file, "two").unwrap();
        patient.refresh_if_due().await;
        assert_eq!(patient.current().as_str(), "one", "the interval is not over");
        token.refresh_if_due().await;
        assert_eq!((token.current().as_str(), meter.counts("bearer_token")), ("two", (1, 0)));
        for _ in 0..3 {
            std::fs::write(&file, "bad").unwrap();
            token.refresh().await;
        }
        assert_eq!((token.current().as_str(), meter.counts("bearer_token")), ("two", (1, 1)), "told once");
        std::fs::remove_file(&file).unwrap();
        token.refresh().await;
        token.refresh().await;
        assert_eq!((token.current().as_str(), meter.counts("bearer_token")), ("two", (1, 2)), "told once");
        std::fs::write(&file, "three").unwrap();
        token.refresh().await;
        assert_eq!((token.current().as_str(), meter.counts("bearer_token")), ("three", (2, 2)));
    }

    #[tokio::test]
    async fn at_the_start_a_bad_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(open(vec![file.clone()], HOUR, &Meter::default()).unwrap_err().to_string().contains("token"));
        std::fs::write(&file, vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(open(vec![file], HOUR, &Meter::default()).unwrap_err().to_string().contains("over 1 MiB"));
    }
}
