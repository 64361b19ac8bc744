//! `authorization: Bearer …` (RFC 6750).

use std::time::Duration;

use super::{Pass, files, pass, secret};
use crate::config::spec::SecretSource;
use crate::exporter::BuildError;
use crate::exporter::access::Meter;
use crate::exporter::reread::Reread;

/// A token, from the pipeline file or from a file of its own that is read again when it changes.
pub(super) fn open(token: &SecretSource, interval: Duration, meter: &Meter) -> Result<Reread<Pass>, BuildError> {
    let source = token.clone();
    Reread::open("bearer_token", files(token), interval, meter.clone(), move |content| {
        let token = secret(&source, content)?;
        pass(format!("Bearer {}", token.expose()), token)
    })
}
