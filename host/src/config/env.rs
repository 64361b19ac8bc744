//! `${env:NAME}` and `${env:NAME:-default}` in values, and `$$` for a dollar sign.
//!
//! The text of the file is never touched: values are replaced after parsing, so that no variable can add keys.

/// Where the environment's variables come from.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What became of a value.
#[derive(Debug, PartialEq)]
pub(super) enum Replaced {
    /// There was nothing to replace.
    Unchanged,
    /// Parts of the text were replaced.
    Within(String),
    /// The whole text was one variable, so that its content decides the type.
    Whole(String),
}

/// Why a value could not be replaced.
#[derive(Debug, PartialEq)]
pub(super) struct Unset {
    pub what: String,
    pub mend: String,
}

/// Replaces the variables in one value.
pub(super) fn replace(text: &str, env: Env<'_>) -> Result<Replaced, Unset> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(dollar) = rest.find('$') {
        let (before, tail) = rest.split_at(dollar);
        out.push_str(before);
        if let Some(after) = tail.strip_prefix("$$") {
            out.push('$');
            (rest, changed) = (after, true);
        } else if let Some(inner) = tail.strip_prefix("${") {
            let (reference, after) = inner.split_once('}').ok_or_else(|| Unset {
                what: "`${` is not closed".to_owned(),
                mend: "close it with `}`, or write `$$` for a dollar sign".to_owned(),
            })?;
            let value = look_up(reference, env)?;
            if before.is_empty() && out.is_empty() && after.is_empty() {
                return Ok(Replaced::Whole(value));
            }
            out.push_str(&value);
            (rest, changed) = (after, true);
        } else {
            out.push('$');
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    Ok(if changed { Replaced::Within(out) } else { Replaced::Unchanged })
}

/// The value of what stands between the braces. As in a shell, `:-` also replaces an empty variable.
fn look_up(reference: &str, env: Env<'_>) -> Result<String, Unset> {
    let Some(inner) = reference.strip_prefix("env:") else {
        // What was typed is not repeated: it may be part of a secret.
        return Err(Unset {
            what: "`${…}` is not a substitution without `env:`".to_owned(),
            mend: "write `${env:NAME}` for a variable, or `$${` for the text `${` itself".to_owned(),
        });
    };
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) {
        return Err(Unset {
            what: "this is not the name of an environment variable".to_owned(),
            mend: "names are letters, digits and `_`, and do not begin with a digit".to_owned(),
        });
    }
    match (env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Unset {
            what: format!("the environment variable `{name}` is not set"),
            mend: format!("set it, or write a default: `${{env:{name}:-default}}`"),
        }),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> Result<Replaced, Unset> {
        replace(text, &|name| match name {
            "PORT" => Some("4317".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${env:PORT}".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_whole_value_is_told_from_a_part() {
        assert_eq!(replaced("${env:PORT}"), Ok(Replaced::Whole("4317".into())));
        assert_eq!(replaced("h:${env:PORT}"), Ok(Replaced::Within("h:4317".into())));
        assert_eq!(replaced("${env:PORT}${env:PORT}"), Ok(Replaced::Within("43174317".into())));
        assert_eq!(replaced("plain"), Ok(Replaced::Unchanged));
    }

    #[test]
    fn a_default_replaces_unset_and_empty() {
        assert_eq!(replaced("${env:NONE:-5}"), Ok(Replaced::Whole("5".into())));
        assert_eq!(replaced("${env:EMPTY:-5}"), Ok(Replaced::Whole("5".into())));
        assert_eq!(replaced("${env:NONE:-}"), Ok(Replaced::Whole(String::new())));
        assert_eq!(replaced("${env:EMPTY}"), Ok(Replaced::Whole(String::new())));
    }

    #[test]
    fn dollars_that_mean_nothing_stay() {
        assert_eq!(replaced("^a$"), Ok(Replaced::Unchanged));
        assert_eq!(replaced("$1-$2"), Ok(Replaced::Unchanged));
        assert_eq!(replaced("a$$b"), Ok(Replaced::Within("a$b".into())));
        assert_eq!(replaced("$${env:PORT}"), Ok(Replaced::Within("${env:PORT}".into())));
    }

    #[test]
    fn what_a_variable_holds_is_not_replaced_again() {
        assert_eq!(replaced("${env:NESTED}"), Ok(Replaced::Whole("${env:PORT}".into())));
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert!(replaced("x${env:NONE}").is_err_and(|e| e.what.contains("`NONE` is not set")));
        assert!(replaced("${HOME}").is_err_and(|e| e.mend.contains("${env:NAME}")));
        assert!(replaced("${env:PORT").is_err_and(|e| e.what.contains("not closed")));
        assert!(replaced("${env:9x}").is_err_and(|e| e.what.contains("not the name")));
    }
}
