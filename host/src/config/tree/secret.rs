//! Which parts of a file are secrets, and so never shown: headers, credentials, and credentials inside URLs.

use std::ops::Range;

use super::{Node, Value};

impl Node {
    /// The bytes that are never shown: headers, credentials, and credentials inside URLs.
    pub fn secrets(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.collect_secrets(text, false, &mut found);
        found
    }

    fn collect_secrets(&self, text: &str, inside: bool, found: &mut Vec<Range<usize>>) {
        match &self.value {
            Value::Scalar(_) | Value::Unset(..) => {
                let range = self.mark.from..self.mark.to;
                let variable = text.get(range.clone()).is_some_and(is_variable);
                if !variable && (inside || text.get(range.clone()).is_some_and(has_credentials)) {
                    found.push(range);
                }
            }
            Value::List(items) => items.iter().for_each(|item| item.collect_secrets(text, inside, found)),
            Value::Map(entries) => {
                entries.iter().for_each(|e| e.value.collect_secrets(text, inside || is_secret(&e.key), found));
            }
        }
    }
}

/// Words in keys below or beside which secrets stand.
const WORDS: [&str; 10] = [
    "header",
    "authorization",
    "api-key",
    "apikey",
    "passw",
    "credential",
    "secret",
    "token",
    "htpasswd",
    "private-key",
];

/// Whether what stands below a key is a secret.
pub(in crate::config) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    // These name where something is, or which headers there are.
    let is_name = key.ends_with("-file") || key.ends_with("-url") || key == "allowed-headers";
    !is_name && (key == "params" || WORDS.iter().any(|word| key.contains(word)))
}

/// Whether a line that cannot be parsed may hold a secret: rather too much is hidden than too little.
fn may_be_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase().replace('_', "-");
    line.contains("params") || WORDS.iter().any(|word| line.contains(word))
}

/// Whether a text is a URL with a user or password.
fn has_credentials(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|a| a.contains('@'))
}

/// The secrets of a text that is no valid YAML: on each line below or beside a secret key, what follows the key.
pub(in crate::config) fn secrets_of_broken(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut below, mut start) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        below = below.filter(|outer| indent > *outer || line.trim().is_empty());
        let colon = line.find(':').map_or(indent, |at| at + 1);
        if below.is_some() || has_credentials(line) {
            found.push(start + colon..start + line.len());
        } else if may_be_secret(line) {
            found.push(start + colon..start + line.len());
            below = Some(indent);
        }
        start += line.len();
    }
    found
}

/// Whether a text is one variable, without a default: its name is no secret.
fn is_variable(text: &str) -> bool {
    let inner = text.trim_matches(['"', '\'']).strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| !name.contains([':', '$', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    fn hidden(text: &str) -> Vec<&str> {
        let (root, flaws) = parse(text, &|_| None);
        assert_eq!(flaws, []);
        root.unwrap().secrets(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn e36_headers_and_credentials_are_hidden_names_of_variables_are_not() {
        assert_eq!(hidden("headers: {a: b, c: [d]}\nother: e"), ["b", "d"]);
        assert_eq!(hidden("url: https://u:p@host/x\nplain: https://host/a@b"), ["https://u:p@host/x"]);
        assert_eq!(
            hidden("headers:\n  a: ${env:A}\n  b: ${env:B:-c}\n  d: Bearer ${env:D}"),
            ["${env:B:-c}", "Bearer ${env:D}"]
        );
        assert_eq!(hidden("api_key: &k x\nother: *k"), ["x"]);
        let oauth2 = "token_url: https://h/t\nclient_secret: a\nclient_secret_file: f\nparams: {audience: b}";
        assert_eq!(hidden(oauth2), ["a", "b"]);
        assert_eq!(
            hidden("bearer: {token: a, file: f}\nbasic: {username: u, password: b, password_file: f}"),
            ["a", "b"]
        );
    }

    #[test]
    fn e36_what_cannot_be_parsed_hides_what_follows_a_secret_key() {
        let text = "a: 1\nheaders:\n  x: y\n  z: [\nb: 2\nurl: http://u:p@h\ntoken: t\nclient_secret: [s\n";
        let hidden: Vec<&str> = secrets_of_broken(text).into_iter().map(|range| text[range].trim()).collect();
        assert_eq!(hidden, ["", "y", "[", "http://u:p@h", "t", "[s"]);
    }
}
