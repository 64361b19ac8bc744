//! Panics on demand, for tests of the real binary. In release builds there is nothing of it.

#[cfg(debug_assertions)]
pub use self::on_demand::{fault_point, faults};

/// Nothing: faults on demand are for debug builds.
#[cfg(not(debug_assertions))]
pub const fn fault_point(_: &str) {}

/// Never: faults on demand are for debug builds.
#[cfg(not(debug_assertions))]
pub async fn faults(_: &str) -> std::convert::Infallible {
    std::future::pending().await
}

#[cfg(debug_assertions)]
mod on_demand {
    use std::convert::Infallible;
    use std::path::Path;
    use std::sync::OnceLock;
    use std::time::Duration;

    use tokio::time::sleep;

    /// The folder where tests ask for faults.
    fn folder() -> Option<&'static Path> {
        static FOLDER: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
        FOLDER.get_or_init(|| std::env::var_os("SLUICEBOX_FAULTS").map(Into::into)).as_deref()
    }

    /// Panics once if `SLUICEBOX_FAULTS` names a folder with a file called `name`; the file is removed first.
    pub fn fault_point(name: &str) {
        let asked = folder().is_some_and(|folder| std::fs::remove_file(folder.join(name)).is_ok());
        assert!(!asked, "as the test asks");
    }

    /// Panics as soon as the file is there.
    pub async fn faults(name: &str) -> Infallible {
        if folder().is_none() {
            return std::future::pending().await;
        }
        loop {
            fault_point(name);
            sleep(Duration::from_millis(100)).await;
        }
    }
}
