//! A pipeline file as a tree in which every value and key knows its place.
//!
//! Built from the parser's events, within a budget: aliases are expanded here, so what they expand to counts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::env::{self, Env, Replaced};

/// Values of one file, aliases expanded; two thousand times what a large file needs.
const NODES_MAX: usize = 200_000;
/// Bytes of text in these values.
const BYTES_MAX: usize = 16 << 20;
/// Levels of lists and mappings.
const DEPTH_MAX: usize = 64;
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

/// A mistake in the structure of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Flaw {
    pub mark: Mark,
    pub what: String,
    pub mend: Option<String>,
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

    /// The value to whose key, or to which itself, a place points.
    pub fn at_mark(&self, line: u32, column: u32) -> Option<&Node> {
        let here = |mark: Mark| mark.line == line && mark.column == column;
        if here(self.mark) {
            return Some(self);
        }
        let in_map = self
            .entries()
            .iter()
            .find_map(|e| if here(e.mark) { Some(&e.value) } else { e.value.at_mark(line, column) });
        in_map.or_else(|| self.items().iter().find_map(|item| item.at_mark(line, column)))
    }

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
                let variable =
                    text.get(range.clone()).is_some_and(|t| t.trim_matches(['"', '\'']).starts_with("${env:"));
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

    /// Values, bytes of text and levels of this subtree.
    fn extent(&self) -> (usize, usize, usize) {
        let inner: Vec<_> = match &self.value {
            Value::Scalar(scalar) => return (1, scalar.text.len(), 0),
            Value::Unset(..) => return (1, 0, 0),
            Value::List(items) => items.iter().map(Node::extent).collect(),
            Value::Map(entries) => entries.iter().map(|e| e.value.extent()).collect(),
        };
        inner.into_iter().fold((1, 0, 1), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2.max(one.2 + 1)))
    }
}

/// Whether what stands below a key is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    ["header", "authorization", "api-key", "apikey", "password", "credential"].iter().any(|word| key.contains(word))
        || matches!(key.as_str(), "token" | "secret" | "bearer-token" | "access-token")
}

/// Whether a text is a URL with a user or password.
fn has_credentials(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|a| a.contains('@'))
}

/// The secrets of a text that is no valid YAML: on each line below or beside a secret key, what follows the key.
pub(super) fn secrets_of_broken(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut below, mut start) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        below = below.filter(|outer| indent > *outer || line.trim().is_empty());
        let colon = line.find(':').map_or(indent, |at| at + 1);
        if below.is_some() || has_credentials(line) {
            found.push(start + colon..start + line.len());
        } else if is_secret(line) {
            found.push(start + colon..start + line.len());
            below = Some(indent);
        }
        start += line.len();
    }
    found
}

/// Parses a text. Flaws other than in the structure leave a tree that can be checked further.
pub(super) fn parse(text: &str, env: Env<'_>) -> (Option<Node>, Vec<Flaw>) {
    let mut builder =
        Builder { env, open: Vec::new(), anchors: HashMap::new(), root: None, flaws: Vec::new(), nodes: 0, bytes: 0 };
    for event in Parser::new_from_str(text) {
        let done = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let at = error.marker();
                let from = at.byte_offset().unwrap_or(text.len());
                let mark = Mark { line: at.line() as u32, column: at.col() as u32 + 1, from, to: from + 1 };
                let info = error.info();
                Err(flaw(mark, format!("this is not YAML: {info}"), Some(mend_of_syntax(&info))))
            }
        };
        if let Err(flaw) = done {
            builder.flaws.push(flaw);
            return (None, builder.flaws);
        }
        if builder.flaws.len() >= PROBLEMS_MAX {
            break;
        }
    }
    (builder.root, builder.flaws)
}

/// What to look at, from the parser's words.
fn mend_of_syntax(info: &str) -> &'static str {
    if info.contains("tab") {
        "indent with blanks"
    } else if info.contains("anchor") {
        "an alias `*name` needs an anchor `&name` before it; put text that begins with `*` in quotes"
    } else if info.contains("flow") || info.contains("quoted") {
        "close the bracket, brace or quote that was opened before this place"
    } else {
        "look at the indentation, colons, quotes and brackets of this line and the one before"
    }
}

fn flaw(mark: Mark, what: impl Into<String>, mend: Option<&str>) -> Flaw {
    Flaw { mark, what: what.into(), mend: mend.map(str::to_owned) }
}

impl From<Span> for Mark {
    fn from(span: Span) -> Self {
        let bytes = span.byte_range().unwrap_or_default();
        Mark { line: span.start.line() as u32, column: span.start.col() as u32 + 1, from: bytes.start, to: bytes.end }
    }
}

/// A list or mapping that is not closed yet.
struct Open {
    mark: Mark,
    anchor: usize,
    /// Of a mapping; none in a list.
    seen: Option<HashMap<String, Mark>>,
    items: Vec<Node>,
    entries: Vec<Entry>,
    /// What `<<` adds where no key of its own stands.
    merged: Vec<Entry>,
    key: Option<(String, Mark)>,
}

struct Builder<'a> {
    env: Env<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, (usize, usize, usize))>,
    root: Option<Node>,
    flaws: Vec<Flaw>,
    nodes: usize,
    bytes: usize,
}

impl Builder<'_> {
    /// Takes one event; a flaw ends the parse.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        let mark = Mark::from(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1, text.len(), mark)?;
                let plain = style == ScalarStyle::Plain && !self.tagged_text(tag.as_deref(), mark);
                let is_key = self.open.last().is_some_and(|open| open.seen.is_some() && open.key.is_none());
                let value = self.scalar(text, plain, is_key);
                self.close(Node { mark, value }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tagged_text(tag.as_deref(), mark);
                self.descend(mark, anchor, None)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tagged_text(tag.as_deref(), mark);
                self.descend(mark, anchor, Some(HashMap::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.ascend(),
            Event::Alias(id) => {
                let Some((node, (nodes, bytes, depth))) = self.anchors.get(&id).cloned() else {
                    return Err(flaw(mark, "an alias stands inside its own anchor", Some("remove it")));
                };
                self.spend(nodes, bytes, mark)?;
                if self.open.len() + depth > DEPTH_MAX {
                    return Err(too_deep(mark));
                }
                self.close(node, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => Err(flaw(
                mark,
                "a second document begins here",
                Some("give each document its own file, and run the folder"),
            )),
            _ => Ok(()),
        }
    }

    /// Whether a tag says that a value is text; other tags of YAML itself change nothing, any other is a flaw.
    fn tagged_text(&mut self, tag: Option<&Tag>, mark: Mark) -> bool {
        let Some(tag) = tag else { return false };
        if tag.core_suffix().is_none() && tag.original() != "!" {
            self.flaws.push(flaw(mark, format!("the tag `{}` means nothing here", tag.original()), Some("remove it")));
        }
        tag.core_suffix() == Some("str")
    }

    /// The value of a scalar, its variables replaced; keys stay as they are.
    fn scalar(&self, text: Cow<'_, str>, plain: bool, is_key: bool) -> Value {
        let style = if plain { Style::Plain } else { Style::Quoted };
        let replaced = if is_key { Ok(Replaced::Unchanged) } else { env::replace(&text, self.env) };
        let (text, style) = match replaced {
            Ok(Replaced::Unchanged) => (text.into_owned(), style),
            Ok(Replaced::Within(text)) => (text, Style::Quoted),
            Ok(Replaced::Whole(text)) if plain => (text, Style::Plain),
            Ok(Replaced::Whole(text)) => (text, Style::QuotedVariable),
            Err(unset) => return Value::Unset(unset.what, unset.mend),
        };
        Value::Scalar(Scalar { text, style })
    }

    fn spend(&mut self, nodes: usize, bytes: usize, mark: Mark) -> Result<(), Flaw> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes <= NODES_MAX && self.bytes <= BYTES_MAX {
            return Ok(());
        }
        let what = format!("the file holds more than {NODES_MAX} values or 16 MiB of text, aliases expanded");
        Err(flaw(mark, what, Some("write out less: aliases that repeat aliases multiply")))
    }

    fn descend(&mut self, mark: Mark, anchor: usize, seen: Option<HashMap<String, Mark>>) -> Result<(), Flaw> {
        self.spend(1, 0, mark)?;
        if self.open.len() >= DEPTH_MAX {
            return Err(too_deep(mark));
        }
        let (items, entries, merged) = (Vec::new(), Vec::new(), Vec::new());
        self.open.push(Open { mark, anchor, seen, items, entries, merged, key: None });
        Ok(())
    }

    fn ascend(&mut self) -> Result<(), Flaw> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        let value = match open.seen {
            None => Value::List(open.items),
            Some(mut seen) => {
                for entry in open.merged {
                    if seen.insert(entry.key.clone(), entry.mark).is_none() {
                        open.entries.push(entry);
                    }
                }
                Value::Map(open.entries)
            }
        };
        self.close(Node { mark: open.mark, value }, open.anchor)
    }

    /// Puts a finished value where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Flaw> {
        if anchor != 0 {
            let extent = node.extent();
            self.spend(extent.0, extent.1, node.mark)?;
            self.anchors.insert(anchor, (node.clone(), extent));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let Some(seen) = &mut open.seen else {
            open.items.push(node);
            return Ok(());
        };
        let Some((key, mark)) = open.key.take() else {
            let Value::Scalar(scalar) = node.value else {
                return Err(flaw(node.mark, "a key must be text", Some("put a value with `{`, `[` or `*` in quotes")));
            };
            open.key = Some((scalar.text, node.mark));
            return Ok(());
        };
        if key == "<<" {
            match &node.value {
                Value::Map(entries) => open.merged.extend(entries.iter().cloned()),
                Value::List(maps) => open.merged.extend(maps.iter().flat_map(Node::entries).cloned()),
                _ => self.flaws.push(flaw(
                    mark,
                    "`<<` takes a mapping, or a list of them",
                    Some("name an anchor: `<<: *name`"),
                )),
            }
        } else if let Some(first) = seen.get(&key) {
            let what = format!("the key `{key}` is given twice; the first is on line {}", first.line);
            self.flaws.push(flaw(mark, what, Some("remove one of them")));
        } else {
            seen.insert(key.clone(), mark);
            open.entries.push(Entry { key, mark, value: node });
        }
        Ok(())
    }
}

fn too_deep(mark: Mark) -> Flaw {
    flaw(mark, format!("lists and mappings are nested deeper than {DEPTH_MAX}"), Some("nest less deeply"))
}
