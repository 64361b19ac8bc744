//! TLS of clients.

use std::path::PathBuf;
use std::time::Duration;

use super::TlsVersion;

/// Certificates of a client, and whom it trusts.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsClientSpec {
    /// Roots that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate, PEM; with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The client's own key, PEM; with `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Name in the server's certificate, if it is not the endpoint's.
    pub server_name: Option<String>,
    /// Whether the server's certificate is checked. Default on (E35).
    pub verification: Verification,
    /// The oldest version that is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// The files are looked at after this time, and whenever a connection is opened. Default 30 s.
    pub reload_interval: Duration,
}

impl Default for TlsClientSpec {
    fn default() -> Self {
        TlsClientSpec {
            ca_file: None,
            cert_file: None,
            key_file: None,
            server_name: None,
            verification: Verification::On,
            min_version: TlsVersion::V1_2,
            reload_interval: Duration::from_secs(30),
        }
    }
}

/// Whether a peer's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// As it should be.
    On,
    /// Anybody is trusted.
    Off,
}
