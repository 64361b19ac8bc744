//! Lists of keys.

use sluicebox_plugin::Error;

/// Keys, some with a `*` at an end.
#[derive(Debug, Default)]
pub struct Keys {
    patterns: Vec<Pattern>,
}

/// One key as it is written, in lower case, without its stars.
#[derive(Debug)]
struct Pattern {
    text: String,
    starts_anyhow: bool,
    ends_anyhow: bool,
}

impl Keys {
    /// Reads a list; `name` is what the config calls it.
    pub fn new(list: &[String], name: &str) -> Result<Self, Error> {
        let patterns = list.iter().enumerate().map(|(index, key)| {
            let start = key.strip_prefix('*');
            let rest = start.unwrap_or(key);
            let end = rest.strip_suffix('*');
            let text = end.unwrap_or(rest);
            if text.is_empty() || text.contains('*') {
                let problem = "expected a key, with a * at its beginning or its end if need be";
                return Err(Error::at(format!("{name}[{index}]"), problem));
            }
            let text = text.to_ascii_lowercase();
            Ok(Pattern { text, starts_anyhow: start.is_some(), ends_anyhow: end.is_some() })
        });
        Ok(Keys { patterns: patterns.collect::<Result<_, _>>()? })
    }

    /// Whether the list has no key.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a key is on the list.
    pub fn contain(&self, key: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(key.as_bytes()))
    }
}

impl Pattern {
    fn matches(&self, key: &[u8]) -> bool {
        let text = self.text.as_bytes();
        let Some(longer) = key.len().checked_sub(text.len()) else {
            return false;
        };
        match (self.starts_anyhow, self.ends_anyhow) {
            (false, false) => longer == 0 && key.eq_ignore_ascii_case(text),
            (true, false) => key.iter().skip(longer).map(u8::to_ascii_lowercase).eq(text.iter().copied()),
            (false, true) => key.iter().take(text.len()).map(u8::to_ascii_lowercase).eq(text.iter().copied()),
            (true, true) => key.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(pattern: &str, key: &str) -> bool {
        Keys::new(&[pattern.to_owned()], "deny_keys").is_ok_and(|keys| keys.contain(key))
    }

    #[test]
    fn stars_stand_at_the_ends() {
        assert!(contain("password", "PassWord") && !contain("password", "password2"));
        assert!(contain("*.token", "api.Token") && !contain("*.token", "token") && !contain("*.token", "a.token.b"));
        assert!(contain("http.request.header.*", "http.request.header.cookie"));
        assert!(contain("*secret*", "my_SECRET_key") && !contain("*secret*", "secre"));
        let error = Keys::new(&["ok".to_owned(), "a*b".to_owned()], "deny_keys").err();
        assert!(error.is_some_and(|error| error.to_string().starts_with("deny_keys[1]: expected a key")));
    }
}
