//! `authorization: Basic …` (RFC 7617).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Pass, files, pass, secret};
use crate::config::spec::BasicLoginSpec;
use crate::exporter::BuildError;
use crate::exporter::access::Meter;
use crate::exporter::reread::Reread;

/// A name and a password, which may be in a file that is read again when it changes.
pub(super) fn open(login: &BasicLoginSpec, interval: Duration, meter: &Meter) -> Result<Reread<Pass>, BuildError> {
    let login = login.clone();
    Reread::open("password", files(&login.password), interval, meter.clone(), move |content| {
        let password = secret(&login.password, content)?;
        let both = STANDARD.encode(format!("{}:{}", login.username, password.expose()));
        pass(format!("Basic {both}"), password)
    })
}
