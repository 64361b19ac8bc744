//! A pipeline file as a tree in which every value and key knows its place.

mod parse;
mod secret;

pub(super) use parse::parse;
pub(super) use secret::secrets_of_broken;

/// Mistakes of one file that are told; whoever has more will run it again.
pub(super) const PROBLEMS_MAX: usize = 100;

/// A place in a file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// First byte.
    pub from: usize,
    /// The byte after the last.
    pub to: usize,
}

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node {
    pub mark: Mark,
    pub value: Value,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Its variable could not be replaced; whoever reads it says so.
    Unset(String, String),
}

/// A key, its value, their places.
#[derive(Clone)]
pub(super) struct Entry {
    pub key: String,
    pub mark: Mark,
    pub value: Node,
}

/// A text whose type is decided by who reads it.
#[derive(Clone)]
pub(super) struct Scalar {
    pub text: String,
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: its content decides the type.
    Plain,
    /// In quotes: text.
    Quoted,
    /// In quotes, and wholly a variable: text, unless the key wants a number.
    QuotedVariable,
}

/// What a scalar's content says that it is (the core schema of YAML 1.2, chapter 10.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text,
}

impl Scalar {
    /// The type, as far as the content decides it.
    pub fn kind(&self) -> Kind {
        if self.style == Style::Plain { self.content() } else { Kind::Text }
    }

    /// The type of the content, quotes or not.
    pub fn content(&self) -> Kind {
        let text = self.text.as_str();
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
            "true" | "True" | "TRUE" => return Kind::Bool(true),
            "false" | "False" | "FALSE" => return Kind::Bool(false),
            _ => {}
        }
        let radix = |prefix, radix| text.strip_prefix(prefix).and_then(|t| u64::from_str_radix(t, radix).ok());
        if let Some(number) = text.parse().ok().or_else(|| radix("0x", 16)).or_else(|| radix("0o", 8)) {
            Kind::Unsigned(number)
        } else if let Ok(number) = text.parse() {
            Kind::Signed(number)
        } else if text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(|b| b"+-.eE0123456789".contains(&b)) {
            text.parse().map_or(Kind::Text, Kind::Float)
        } else {
            Kind::Text
        }
    }
}

impl Node {
    /// Whether there is nothing: `key:` or `key: null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind() == Kind::Null)
    }

    /// The value below a key or an index. The mark is the one to point at: of a scalar itself, of a key whose
    /// value is larger, of an item of a list.
    pub fn child(&self, step: &str) -> Option<(Mark, &Node)> {
        match &self.value {
            Value::Map(entries) => {
                let entry = entries.iter().find(|e| e.key == step)?;
                let small = matches!(entry.value.value, Value::Scalar(_) | Value::Unset(..)) && !entry.value.is_null();
                Some((if small { entry.value.mark } else { entry.mark }, &entry.value))
            }
            Value::List(items) => items.get(step.parse::<usize>().ok()?).map(|item| (item.mark, item)),
            Value::Scalar(_) | Value::Unset(..) => None,
        }
    }

    /// The entries of a mapping; none if it is not one.
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The items of a list; none if it is not one.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// Takes out the value below a path; whether there was one.
    pub fn prune(&mut self, path: &[String]) -> bool {
        let Some((step, rest)) = path.split_first() else { return false };
        let index = step.parse::<usize>();
        match (&mut self.value, index) {
            (Value::Map(entries), _) => {
                let Some(at) = entries.iter().position(|e| e.key == *step) else { return false };
                if !rest.is_empty() {
                    return entries.get_mut(at).is_some_and(|e| e.value.prune(rest));
                }
                entries.remove(at);
                true
            }
            (Value::List(items), Ok(at)) if at < items.len() => {
                if !rest.is_empty() {
                    return items.get_mut(at).is_some_and(|item| item.prune(rest));
                }
                items.remove(at);
                true
            }
            _ => false,
        }
    }

    /// The value to whose key a place points, or which stands there itself. A mapping begins where its first key
    /// does, so the innermost is meant.
    pub fn at_mark(&self, line: u32, column: u32) -> Option<&Node> {
        let here = |mark: Mark| mark.line == line && mark.column == column;
        let in_map = self
            .entries()
            .iter()
            .find_map(|e| if here(e.mark) { Some(&e.value) } else { e.value.at_mark(line, column) });
        let inside = in_map.or_else(|| self.items().iter().find_map(|item| item.at_mark(line, column)));
        inside.or_else(|| here(self.mark).then_some(self))
    }
}
