//! TLS of clients, as it is typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Time;

/// Certificates of a client, as PEM files.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Tls {
    /// Roots that are trusted instead of the system's. Default: `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    pub ca_file: Option<String>,
    /// The client's own certificate; with `key_file`. Default: `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`.
    pub cert_file: Option<String>,
    /// The client's own key; with `cert_file`. Default: `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    pub key_file: Option<String>,
    /// Name in the server's certificate, if it is not the endpoint's.
    pub server_name_override: Option<String>,
    /// Whether an endpoint without a scheme is plaintext. Default: `OTEL_EXPORTER_OTLP_INSECURE`, then false.
    pub insecure: Option<bool>,
    /// Whether the server's certificate is not checked: anybody between can read and change everything. Default false.
    pub insecure_skip_verify: Option<bool>,
    /// The oldest version of TLS that is spoken: `1.2` or `1.3`. Default 1.2.
    pub min_version: Option<MinVersion>,
    /// The files are looked at after this time, and whenever a connection is opened. Default 30s.
    pub reload_interval: Option<Time>,
}

/// The oldest version of TLS.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(in crate::config) enum MinVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}
