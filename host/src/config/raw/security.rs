//! TLS, credentials and origins of listeners, as they are typed.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::spec::Secret;
use crate::config::value::Time;

/// A secret, as typed.
#[derive(Debug, Clone)]
pub(in crate::config) struct Hidden(pub Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Hidden(Secret::new(text)))
    }
}

/// TLS of a listener, as PEM files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct ServerTls {
    /// The server's certificate, and those between it and the root. Required.
    pub cert_file: Option<String>,
    /// The key of the certificate. Required.
    pub key_file: Option<String>,
    /// Roots of the certificates that clients have to show. Left out: clients are not asked.
    pub client_ca_file: Option<String>,
    /// Whether a client may come without a certificate; with `client_ca_file`. Default `require`.
    pub client_auth: Option<ClientAuth>,
    /// The oldest version of TLS that is spoken.
    pub min_version: TlsVersion,
    /// How often the files are looked at; what changed is used for the next connections.
    pub reload_interval: Time,
}

impl Default for ServerTls {
    fn default() -> Self {
        ServerTls {
            cert_file: None,
            key_file: None,
            client_ca_file: None,
            client_auth: None,
            min_version: TlsVersion::V1_2,
            reload_interval: LOOK,
        }
    }
}

const LOOK: Time = Time(std::time::Duration::from_secs(30));

/// A version of TLS.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(in crate::config) enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Whether a client may come without a certificate.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum ClientAuth {
    /// No.
    Require,
    /// Yes; but one that is shown has to be valid.
    Optional,
}

/// Credentials that open a listener: any one of them will do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Auth {
    /// `Authorization: Bearer …`.
    pub bearer: Option<Bearer>,
    /// A key in a header of its own.
    pub api_key: Option<ApiKey>,
    /// `Authorization: Basic …`: users and passwords.
    pub basic: Option<Basic>,
    /// How often the files are looked at.
    pub reload_interval: Time,
}

impl Default for Auth {
    fn default() -> Self {
        Auth { bearer: None, api_key: None, basic: None, reload_interval: LOOK }
    }
}

/// Bearer tokens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Bearer {
    /// The tokens. Secrets.
    #[schemars(with = "Vec<String>")]
    pub tokens: Vec<Hidden>,
    /// A file of tokens, one a line.
    pub file: Option<String>,
}

/// Keys in a header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct ApiKey {
    /// The header.
    pub header: String,
    /// The keys. Secrets.
    #[schemars(with = "Vec<String>")]
    pub keys: Vec<Hidden>,
    /// A file of keys, one a line.
    pub file: Option<String>,
}

impl Default for ApiKey {
    fn default() -> Self {
        ApiKey { header: "x-api-key".to_owned(), keys: Vec::new(), file: None }
    }
}

/// Users and passwords.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Basic {
    /// `user:$2y$…`, as `htpasswd -B` writes it. Secrets.
    #[schemars(with = "Vec<String>")]
    pub htpasswd: Vec<Hidden>,
    /// A file of such lines.
    pub file: Option<String>,
}

/// Which web pages may send telemetry from a browser.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Cors {
    /// `https://app.example.com`, `https://*.example.com`, or `*`. Required.
    pub allowed_origins: Vec<String>,
    /// Headers beside `content-type` and `content-encoding`; `*` for any.
    pub allowed_headers: Vec<String>,
    /// How long browsers may remember the answer. Left out: a few seconds.
    pub max_age: Option<Time>,
}
