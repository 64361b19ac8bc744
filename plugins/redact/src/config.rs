//! What the pipeline file says.

use std::collections::BTreeMap;

use sluicebox_plugin::config;

/// Masks what the detectors and the patterns find, and whole values by their keys.
#[config]
#[serde(default)]
pub struct Config {
    /// What is looked for; all of them unless some are named.
    pub detect: Vec<Detector>,
    /// What else is looked for: regular expressions, by names of your own.
    pub patterns: BTreeMap<String, String>,
    /// Keys whose whole values are masked, whatever they are. A `*` at the beginning or the end stands for anything;
    /// case does not matter.
    pub deny_keys: Vec<String>,
    /// Keys whose values are left as they are, unless they are denied too. Written like `deny_keys`.
    pub allow_keys: Vec<String>,
    /// What stands in place of what is masked.
    pub mask: String,
}

/// Something that is looked for.
#[config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Card numbers: 13 to 19 digits, spaces or dashes between them, with a right check digit (Luhn).
    Cards,
    /// E-mail addresses, in URLs too.
    Emails,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// What follows `Bearer`, and JSON Web Tokens.
    BearerTokens,
}

impl Detector {
    /// All of them.
    pub const ALL: [Detector; 5] =
        [Detector::Cards, Detector::Emails, Detector::Ipv4, Detector::Ipv6, Detector::BearerTokens];
}

impl Default for Config {
    fn default() -> Self {
        Config {
            detect: Detector::ALL.to_vec(),
            patterns: BTreeMap::new(),
            deny_keys: Vec::new(),
            allow_keys: Vec::new(),
            mask: "[redacted]".to_owned(),
        }
    }
}
