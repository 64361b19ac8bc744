//! Builds the tree from the parser's events, within a budget: aliases are expanded here, so what they expand to counts.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::config::env::{self, Env, Replaced};

use super::{Entry, Mark, Node, PROBLEMS_MAX, Scalar, Style, Value};

/// Values of one file, aliases expanded; two thousand times what a large file needs.
const NODES_MAX: usize = 200_000;
/// Bytes of text in these values.
const BYTES_MAX: usize = 16 << 20;
/// Levels of lists and mappings.
const DEPTH_MAX: usize = 64;
/// A mistake in the structure of a file.
#[derive(Debug, PartialEq)]
pub(in crate::config) struct Flaw {
    pub mark: Mark,
    pub what: String,
    pub mend: Option<String>,
}

/// Parses a text. Flaws other than in the structure leave a tree that can be checked further.
pub(in crate::config) fn parse(text: &str, env: Env<'_>) -> (Option<Node>, Vec<Flaw>) {
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
        "close the bracket, brace or quote that was opened before; inside `{…}` and `[…]`, quote text that holds one of `[]{},`"
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

impl Node {
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
