//! Who may speak with a listener: certificates of both sides, and credentials of clients.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use super::{PasswordEntry, Secret};

/// What a listener asks of those who connect. The default asks for nothing, and is small.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SecuritySpec {
    /// TLS; none: plaintext.
    pub tls: Option<Box<TlsServerSpec>>,
    /// Credentials; none: nobody is asked for one.
    pub auth: Option<Box<AuthSpec>>,
}

impl SecuritySpec {
    /// Whether anybody who reaches the port may send.
    pub fn is_open(&self) -> bool {
        self == &SecuritySpec::default()
    }
}

/// The server side of TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsServerSpec {
    /// The server's certificate and the ones between it and the root, PEM, absolute.
    pub cert_file: PathBuf,
    /// The key of the first of them, PEM, absolute.
    pub key_file: PathBuf,
    /// Certificates that clients have to show; none: clients are not asked.
    pub clients: Option<ClientCertificatesSpec>,
    /// The oldest version of TLS that is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// How often the files are looked at. Default 30 s.
    pub reload_interval: Duration,
}

/// Certificates of clients (mTLS).
#[derive(Clone, Debug, PartialEq)]
pub struct ClientCertificatesSpec {
    /// Roots that have to have issued them, PEM, absolute.
    pub ca_file: PathBuf,
    /// Whether a client may come without one.
    pub demand: Demand,
}

/// Whether something has to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Yes.
    Required,
    /// No; but what is shown has to be valid.
    Optional,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Credentials, any one of which opens a listener. At least one kind is there.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthSpec {
    /// `Authorization: Bearer …` (RFC 6750).
    pub bearer: Option<SecretsSpec>,
    /// A header of its own.
    pub api_key: Option<ApiKeySpec>,
    /// `Authorization: Basic …` (RFC 7617).
    pub basic: Option<BasicSpec>,
    /// How often the files are looked at. Default 30 s.
    pub reload_interval: Duration,
}

/// Secrets, any one of which will do; from the pipeline file, from a file of their own, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretsSpec {
    /// As typed; none is empty.
    pub values: Vec<Secret>,
    /// One a line, absolute.
    pub file: Option<PathBuf>,
}

/// Keys in a header.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeySpec {
    /// The header. Default `x-api-key`.
    pub header: HeaderName,
    /// The keys.
    pub keys: SecretsSpec,
}

/// Users and what their passwords hash to.
#[derive(Clone, Debug, PartialEq)]
pub struct BasicSpec {
    /// As typed.
    pub users: Vec<PasswordEntry>,
    /// One a line, absolute.
    pub file: Option<PathBuf>,
}
