//! What clients may show: bearer tokens, API keys, users with passwords. Any one of them will do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::denial::Denial;
use super::digest::{Digester, Secrets};
use super::files::FileFault;
use super::passwords::Passwords;
use super::rotating::Source;
use crate::config::spec::{AuthSpec, BasicSpec, PasswordEntry, SecretsSpec};

/// Makes credentials of a spec and its files.
pub(super) struct CredentialSource {
    spec: AuthSpec,
}

impl CredentialSource {
    pub fn new(spec: AuthSpec) -> CredentialSource {
        CredentialSource { spec }
    }

    /// The files in their order: of tokens, keys, users.
    fn named(&self) -> [Option<&PathBuf>; 3] {
        let AuthSpec { bearer, api_key, basic, .. } = &self.spec;
        let bearer = bearer.as_ref().and_then(|spec| spec.file.as_ref());
        let api_key = api_key.as_ref().and_then(|spec| spec.keys.file.as_ref());
        [bearer, api_key, basic.as_ref().and_then(|spec| spec.file.as_ref())]
    }
}

impl Source for CredentialSource {
    type Made = Credentials;

    fn files(&self) -> Vec<PathBuf> {
        self.named().into_iter().flatten().cloned().collect()
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<Credentials, FileFault> {
        let mut contents = contents.iter();
        let mut next =
            |file: Option<&PathBuf>| file.and_then(|_| contents.next()).map(Vec::as_slice).unwrap_or_default();
        let [tokens, keys, users] = self.named().map(&mut next);
        let AuthSpec { bearer, api_key, basic, .. } = &self.spec;
        let Some(digester) = Digester::new() else {
            return Err(FileFault::new(Path::new("/dev/urandom"), "the system gives no random numbers"));
        };
        let tokens = bearer.as_ref().map(|spec| secrets(&digester, spec, tokens)).transpose()?;
        let keys = match api_key {
            Some(spec) => Some((spec.header.clone(), secrets(&digester, &spec.keys, keys)?)),
            None => None,
        };
        let digester = Arc::new(digester);
        let passwords = match basic {
            Some(spec) => Some(Passwords::new(entries(spec, users)?, Arc::clone(&digester))),
            None => None,
        };
        let challenges = challenges(&self.spec);
        Ok(Credentials { digester, tokens, keys, passwords, challenges })
    }
}

/// The lines of a file that mean something: neither empty nor a comment.
fn lines<'a>(path: &Path, content: &'a [u8]) -> Result<Vec<(usize, &'a str)>, FileFault> {
    let text = str::from_utf8(content).map_err(|_| FileFault::new(path, "it is not UTF-8 text"))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    if lines.is_empty() {
        return Err(FileFault::new(path, "it holds no credential, so nobody could come in; write one a line"));
    }
    Ok(lines)
}

fn secrets(digester: &Digester, spec: &SecretsSpec, content: &[u8]) -> Result<Secrets, FileFault> {
    let filed = spec.file.as_ref().map(|path| lines(path, content)).transpose()?.unwrap_or_default();
    let typed = spec.values.iter().map(|secret| secret.expose());
    Ok(Secrets::new(digester, typed.chain(filed.into_iter().map(|(_, line)| line))))
}

fn entries(spec: &BasicSpec, content: &[u8]) -> Result<Vec<PasswordEntry>, FileFault> {
    let mut entries = spec.users.clone();
    let Some(path) = &spec.file else { return Ok(entries) };
    for (number, line) in lines(path, content)? {
        let wrong = |why| {
            FileFault::new(path, format!("line {number} is no line of htpasswd: {why}; `htpasswd -B` writes them"))
        };
        entries.push(PasswordEntry::parse(line).map_err(wrong)?);
    }
    Ok(entries)
}

fn challenges(spec: &AuthSpec) -> Arc<[HeaderValue]> {
    let mut challenges = Vec::new();
    if spec.bearer.is_some() {
        challenges.push(HeaderValue::from_static("Bearer realm=\"sluicebox\""));
    }
    if spec.basic.is_some() {
        challenges.push(HeaderValue::from_static("Basic realm=\"sluicebox\", charset=\"UTF-8\""));
    }
    if let Some(api_key) = &spec.api_key {
        // No registered scheme, but a 401 has to name one, and this tells which header is meant.
        let challenge = format!("ApiKey realm=\"sluicebox\", header=\"{}\"", api_key.header);
        challenges.extend(HeaderValue::try_from(challenge));
    }
    challenges.into()
}

/// Everything that opens a listener.
pub(super) struct Credentials {
    digester: Arc<Digester>,
    tokens: Option<Secrets>,
    keys: Option<(HeaderName, Secrets)>,
    passwords: Option<Passwords>,
    challenges: Arc<[HeaderValue]>,
}

impl Credentials {
    /// What would be accepted, for a client that was denied.
    pub fn challenges(&self) -> Arc<[HeaderValue]> {
        Arc::clone(&self.challenges)
    }

    /// Looks for a credential that is known.
    pub async fn check(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let mut denial = Denial::Missing;
        if let Some((name, keys)) = &self.keys {
            match Shown::of(headers, name) {
                Shown::Nothing => {}
                Shown::Several => denial = Denial::Malformed,
                Shown::One(key) if keys.contain(&self.digester, key) => return Ok(()),
                Shown::One(_) => denial = Denial::Unknown,
            }
        }
        if self.tokens.is_none() && self.passwords.is_none() {
            return Err(denial);
        }
        match Shown::of(headers, &AUTHORIZATION) {
            Shown::Nothing => Err(denial),
            Shown::Several => Err(Denial::Malformed),
            Shown::One(value) => self.authorization(value).await,
        }
    }

    async fn authorization(&self, value: &[u8]) -> Result<(), Denial> {
        let space = value.iter().position(|byte| *byte == b' ').ok_or(Denial::Malformed)?;
        let (scheme, rest) = value.split_at(space);
        let rest = rest.trim_ascii();
        if let Some(tokens) = self.tokens.as_ref().filter(|_| scheme.eq_ignore_ascii_case(b"bearer")) {
            return if tokens.contain(&self.digester, rest) { Ok(()) } else { Err(Denial::Unknown) };
        }
        if let Some(passwords) = self.passwords.as_ref().filter(|_| scheme.eq_ignore_ascii_case(b"basic")) {
            let pair = STANDARD.decode(rest).map_err(|_| Denial::Malformed)?;
            let colon = pair.iter().position(|byte| *byte == b':').ok_or(Denial::Malformed)?;
            let (user, password) = pair.split_at(colon);
            return passwords.check(user, password.get(1..).unwrap_or_default()).await;
        }
        Err(Denial::Malformed)
    }
}

/// What stands in a header that may be there once.
enum Shown<'a> {
    Nothing,
    One(&'a [u8]),
    /// Whoever sends two may mean either; a proxy in front may have looked at the other one.
    Several,
}

impl<'a> Shown<'a> {
    fn of(headers: &'a HeaderMap, name: &HeaderName) -> Shown<'a> {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Shown::Nothing,
            (Some(value), None) => Shown::One(value.as_bytes().trim_ascii()),
            (Some(_), Some(_)) => Shown::Several,
        }
    }
}
