//! A line of an htpasswd file.

use super::Secret;

/// The most work that one password may take: each step doubles it, and 16 are some seconds already.
const COST_MAX: u32 = 16;

/// A user, and what the user's password hashes to (bcrypt).
#[derive(Clone, Debug, PartialEq)]
pub struct PasswordEntry {
    /// The user's name.
    pub user: String,
    /// `$2y$…`; no password, but worth guessing at, so a secret too.
    pub hash: Secret,
}

impl PasswordEntry {
    /// Reads `user:$2y$…`, as `htpasswd -B` writes it.
    ///
    /// # Errors
    /// What is wrong with the line, without a word of it.
    pub fn parse(line: &str) -> Result<PasswordEntry, &'static str> {
        let (user, hash) = line.split_once(':').ok_or("there is no `:` between user and hash")?;
        if user.is_empty() {
            return Err("the user's name is empty");
        }
        if !["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
            return Err("the hash is not bcrypt's, which begins with `$2y$`");
        }
        let parts: bcrypt::HashParts = hash.parse().map_err(|_| "the bcrypt hash is cut short or garbled")?;
        if !(4..=COST_MAX).contains(&parts.get_cost()) {
            return Err("the cost of the bcrypt hash is not within 4 and 16");
        }
        Ok(PasswordEntry { user: user.to_owned(), hash: Secret::new(hash.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_htpasswd_are_read_and_others_are_told_apart() {
        let hash = bcrypt::hash("open sesame", 4).unwrap();
        let entry = PasswordEntry::parse(&format!("ann:{hash}")).unwrap();
        assert_eq!((entry.user.as_str(), entry.hash.expose()), ("ann", hash.as_str()));
        for (line, why) in [
            ("ann", "no `:`"),
            (":$2y$", "name is empty"),
            ("ann:{SHA}xyz", "not bcrypt's"),
            ("ann:$apr1$x$y", "not bcrypt's"),
            ("ann:$2y$10$short", "cut short"),
            (&format!("ann:$2y$31{}", &hash[6..]), "cost"),
        ] {
            assert!(PasswordEntry::parse(line).unwrap_err().contains(why), "{line}");
        }
    }
}
