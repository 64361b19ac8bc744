//! Users and passwords. bcrypt is slow on purpose, so it runs away from the data threads, two at a time, and once for
//! each pair that is shown again and again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::denial::Denial;
use super::digest::{Digest, Digester};
use crate::config::spec::PasswordEntry;

/// Passwords that are checked at the same time: each takes a whole core for as long as its cost says.
const CHECKS_MAX: usize = 2;

/// Passwords that are checked or wait for it; whoever comes beyond that is told to come again.
const QUEUE_MAX: usize = 64;

/// Pairs that are remembered as right, and as wrong; beyond that all of the kind are forgotten. Both have a limit of
/// their own, so that guessing does not make the right ones slow.
const REMEMBERED_MAX: usize = 4096;

/// The longest user or password; bcrypt itself looks at 72 bytes.
const SHOWN_BYTES_MAX: usize = 1024;

/// Users and what their passwords hash to. Exchanged as a whole when the files change, with all that it remembers.
pub(super) struct Passwords {
    hashes: Arc<HashMap<Vec<u8>, String>>,
    /// The hash that the password of an unknown user is checked against, so that this takes as long as for others.
    decoy: Option<String>,
    digester: Arc<Digester>,
    remembered: Arc<Mutex<Remembered>>,
    queue: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

impl Passwords {
    pub fn new(entries: Vec<PasswordEntry>, digester: Arc<Digester>) -> Passwords {
        let decoy = entries.first().map(|entry| entry.hash.expose().to_owned());
        let hashes = entries.into_iter().map(|entry| (entry.user.into_bytes(), entry.hash.expose().to_owned()));
        Passwords {
            hashes: Arc::new(hashes.collect()),
            decoy,
            digester,
            remembered: Arc::default(),
            queue: Arc::new(Semaphore::new(QUEUE_MAX)),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
        }
    }

    /// Whether the pair is right.
    pub async fn check(&self, user: &[u8], password: &[u8]) -> Result<(), Denial> {
        if user.len().max(password.len()) > SHOWN_BYTES_MAX {
            return Err(Denial::Malformed);
        }
        let pair = self.digester.digest(&[user, password]);
        if let Some(right) = self.remembered.lock().verdict(&pair) {
            return verdict(right);
        }
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Denial::Busy)?;
        // The semaphores are never closed.
        let check = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| Denial::Busy)?;
        // Others may have shown the same meanwhile: an exporter opens with several requests at once.
        if let Some(right) = self.remembered.lock().verdict(&pair) {
            return verdict(right);
        }
        let known = self.hashes.get(user).cloned();
        let (is_known, hash) = (known.is_some(), known.or_else(|| self.decoy.clone()));
        let Some(hash) = hash else { return Err(Denial::Unknown) };
        let (password, remembered) = (password.to_vec(), Arc::clone(&self.remembered));
        // The places go along: a client that hangs up does not end the work.
        let checked = tokio::task::spawn_blocking(move || {
            let _places = (place, check);
            let right = bcrypt::verify(password, &hash).unwrap_or(false) && is_known;
            remembered.lock().note(pair, right);
            right
        });
        verdict(checked.await.unwrap_or(false))
    }
}

fn verdict(right: bool) -> Result<(), Denial> {
    if right { Ok(()) } else { Err(Denial::Unknown) }
}

/// Pairs that were checked already, by digest.
#[derive(Default)]
struct Remembered {
    right: HashSet<Digest>,
    wrong: HashSet<Digest>,
}

impl Remembered {
    fn verdict(&self, pair: &Digest) -> Option<bool> {
        match (self.right.contains(pair), self.wrong.contains(pair)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    fn note(&mut self, pair: Digest, right: bool) {
        let of_its_kind = if right { &mut self.right } else { &mut self.wrong };
        if of_its_kind.len() >= REMEMBERED_MAX {
            of_its_kind.clear();
        }
        of_its_kind.insert(pair);
    }
}
