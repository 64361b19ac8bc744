//! Something made from files, made anew when their content changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::files::{self, FileFault};
use super::meter::RotationMeter;

/// How long a change has to stay the same before it is believed to be complete: a certificate and its key are two
/// files, written one after the other.
const SETTLE: Duration = Duration::from_millis(100);

/// Looks at a change that does not come to rest; after that it is tried as it is.
const LOOKS_MAX: usize = 20;

/// What is made of files.
pub(super) trait Source: Send + Sync + 'static {
    /// What they become.
    type Made: Send + Sync + 'static;

    /// Their names; the same for ever.
    fn files(&self) -> Vec<PathBuf>;

    /// Makes it of their content, in the order of the names.
    fn make(&self, contents: &[Vec<u8>]) -> Result<Self::Made, FileFault>;

    /// Tells what there is to tell of what is in use now.
    fn tell(&self, _made: &Self::Made) {}
}

/// Something made from files. Readers take what is current without waiting.
pub(super) struct Rotating<S: Source> {
    source: S,
    made: ArcSwap<S::Made>,
    /// What was tried last, whether it could be used or not.
    tried: Mutex<Print>,
    interval: Duration,
    meter: RotationMeter,
}

/// The content of all files, as a hash.
type Print = [u8; 32];

/// The files at one moment.
struct Look {
    contents: Result<Vec<Vec<u8>>, FileFault>,
    print: Print,
}

impl<S: Source> Rotating<S> {
    /// Makes it for the first time.
    pub fn start(source: S, interval: Duration, meter: RotationMeter) -> Result<Rotating<S>, FileFault> {
        let Look { contents, print } = Look::at(&source.files());
        let made = source.make(&contents?)?;
        Ok(Rotating { source, made: ArcSwap::from_pointee(made), tried: Mutex::new(print), interval, meter })
    }

    pub fn source(&self) -> &S {
        &self.source
    }

    /// How often it should be looked at.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// What is current.
    pub fn load(&self) -> Arc<S::Made> {
        self.made.load_full()
    }

    /// Tells of what is current.
    pub fn tell(&self) {
        self.source.tell(&self.load());
    }

    /// Looks at the files, and takes what changed. A look that fails changes nothing but the log and a counter, once
    /// for each content.
    pub async fn look(self: &Arc<Self>) {
        let files = self.source.files();
        if files.is_empty() {
            return;
        }
        let Some(mut look) = Look::aside(files.clone()).await else { return };
        if look.print == *self.tried.lock() {
            return;
        }
        for _ in 0..LOOKS_MAX {
            sleep(SETTLE).await;
            let Some(again) = Look::aside(files.clone()).await else { return };
            let at_rest = again.print == look.print;
            look = again;
            if at_rest {
                break;
            }
        }
        let this = Arc::clone(self);
        // A panic in a parser of foreign code would be told by the runtime; the old stays.
        let _ = tokio::task::spawn_blocking(move || this.take(look)).await;
    }

    fn take(&self, look: Look) {
        let before = std::mem::replace(&mut *self.tried.lock(), look.print);
        if before == look.print {
            return;
        }
        match look.contents.and_then(|contents| self.source.make(&contents)) {
            Ok(made) => {
                self.made.store(Arc::new(made));
                self.meter.applied();
                self.tell();
            }
            Err(fault) => self.meter.refused(&fault),
        }
    }
}

impl Look {
    fn at(files: &[PathBuf]) -> Look {
        let contents: Result<Vec<Vec<u8>>, FileFault> = files.iter().map(|path| files::read(path)).collect();
        let mut hash = Sha256::new();
        match &contents {
            Ok(contents) => contents.iter().for_each(|content| {
                hash.update(content.len().to_be_bytes());
                hash.update(content);
            }),
            Err(fault) => hash.update(fault.to_string()),
        }
        Look { contents, print: hash.finalize().into() }
    }

    /// The same on a thread that may wait for a disk. None: the runtime ends.
    async fn aside(files: Vec<PathBuf>) -> Option<Look> {
        tokio::task::spawn_blocking(move || Look::at(&files)).await.ok()
    }
}
