//! Reads a typed value from a part of the tree with serde, and finds every mistake in it.
//!
//! serde stops at the first. So what it refuses is told, cut out, and the rest is read again, until it is accepted:
//! each round removes a value, so there are at most as many rounds as mistakes. Everything typed in a pipeline file
//! has a default, which stands in for what was cut out.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor,
};

use super::did_you_mean;
use super::tree::{Entry, Kind, Node, PROBLEMS_MAX, Scalar, Style, Value};

/// Why a value was refused, and where.
#[derive(Debug)]
pub(super) struct Refused {
    /// From the value that was read; the last step first.
    steps: Vec<String>,
    pub what: String,
    pub mend: Option<String>,
    /// Whether the key is wrong, not its value.
    pub on_key: bool,
}

impl Refused {
    fn new(what: impl Into<String>, mend: Option<String>) -> Self {
        Refused { steps: Vec::new(), what: what.into(), mend, on_key: false }
    }

    fn below(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    /// From the value that was read.
    pub fn path(&self) -> Vec<String> {
        self.steps.iter().rev().cloned().collect()
    }
}

/// Reads a value; none if even the value as a whole was refused.
pub(super) fn read<T: DeserializeOwned>(node: &Node, mut refused: impl FnMut(Refused)) -> Option<T> {
    let mut left = Cow::Borrowed(node);
    for _ in 0..PROBLEMS_MAX {
        match T::deserialize(left.as_ref()) {
            Ok(value) => return Some(value),
            Err(error) => {
                let cut = left.to_mut().prune(&error.path());
                refused(error);
                if !cut {
                    return None;
                }
            }
        }
    }
    None
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    /// The first line is what is wrong, the second the mend.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once('\n') {
            Some((what, mend)) => Refused::new(what, Some(mend.to_owned())),
            None => Refused::new(message, None),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a mapping",
            _ => "text",
        };
        wrong_type(&expected.to_string(), found)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mend = did_you_mean(field, expected.iter().copied());
        Refused { on_key: true, ..Refused::new(format!("unknown key `{field}`"), mend) }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let all: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        Refused::new("unknown value", Some(format!("expected one of {}", all.join(", "))))
    }
}

fn wrong_type(expected: &str, found: &str) -> Refused {
    let mend = match (expected, found) {
        (_, "nothing") => Some("give it a value, or remove the key".to_owned()),
        ("a list", "text") => Some("write it as a list: `[…]`".to_owned()),
        ("a mapping", _) => Some("write `key: value` pairs".to_owned()),
        ("a whole number", "text") => Some("write digits, without quotes or a unit".to_owned()),
        _ => None,
    };
    Refused::new(format!("expected {expected}, found {found}"), mend)
}

impl Node {
    fn found(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Null => "nothing",
                Kind::Bool(_) => "true or false",
                Kind::Unsigned(_) | Kind::Signed(_) | Kind::Float(_) => "a number",
                Kind::Text => "text",
            },
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Unset(..) => "an unset variable",
        }
    }

    fn wrong(&self, expected: &str) -> Refused {
        match &self.value {
            Value::Unset(what, mend) => Refused::new(what.clone(), Some(mend.clone())),
            _ => wrong_type(expected, self.found()),
        }
    }

    /// The content of a scalar for a reader that wants `expected`, which is not text.
    fn content(&self, expected: &str) -> Result<Kind, Refused> {
        match &self.value {
            Value::Scalar(scalar) if scalar.style != Style::Quoted => Ok(scalar.content()),
            _ => Err(self.wrong(expected)),
        }
    }

    fn text(&self) -> Result<&str, Refused> {
        match &self.value {
            Value::Scalar(Scalar { text, .. }) if !self.is_null() => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }

    fn visit_entries<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, Refused> {
        match &self.value {
            Value::Map(_) => visitor.visit_map(Entries { left: self.entries().iter(), current: None }),
            _ if self.is_null() => visitor.visit_map(Entries { left: [].iter(), current: None }),
            _ => Err(self.wrong("a mapping")),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.value {
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Null => visitor.visit_unit(),
                Kind::Bool(value) => visitor.visit_bool(value),
                Kind::Unsigned(value) => visitor.visit_u64(value),
                Kind::Signed(value) => visitor.visit_i64(value),
                Kind::Float(value) => visitor.visit_f64(value),
                Kind::Text => visitor.visit_str(&scalar.text),
            },
            Value::List(items) => visitor.visit_seq(Items { left: items.iter().enumerate() }),
            Value::Map(_) => self.visit_entries(visitor),
            Value::Unset(..) => Err(self.wrong("a value")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.content("`true` or `false`")? {
            Kind::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.wrong("`true` or `false`")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.content("a whole number")? {
            Kind::Unsigned(value) => visitor.visit_u64(value),
            Kind::Signed(_) => Err(Refused::new("the number must not be negative", None)),
            Kind::Float(_) => Err(Refused::new("the number must be whole", None)),
            _ => Err(self.wrong("a whole number")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.content("a number")? {
            Kind::Unsigned(value) => visitor.visit_f64(value as f64),
            Kind::Signed(value) => visitor.visit_f64(value as f64),
            Kind::Float(value) => visitor.visit_f64(value),
            _ => Err(self.wrong("a number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.value {
            Value::List(items) => visitor.visit_seq(Items { left: items.iter().enumerate() }),
            _ => Err(self.wrong("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.visit_entries(visitor)
    }

    /// Nothing is a mapping without entries: `otlp:` alone means its defaults.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.visit_entries(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let text = self.text()?;
        let name: StrDeserializer<'_, Refused> = text.into_deserializer();
        visitor.visit_enum(name).map_err(|mut refused| {
            let near = super::closest(text, variants.iter().copied());
            refused.mend = near.map(|near| format!("did you mean `{near}`?")).or(refused.mend.take());
            refused
        })
    }

    serde::forward_to_deserialize_any! { unit unit_struct tuple tuple_struct char bytes byte_buf i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

struct Entries<'de> {
    left: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        self.current = self.left.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'de, Refused> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|refused| refused.below(&entry.key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let Some(entry) = self.current else { return Err(Refused::new("a key is missing", None)) };
        seed.deserialize(&entry.value).map_err(|refused| refused.below(&entry.key))
    }
}

struct Items<'de> {
    left: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        let Some((at, item)) = self.left.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|refused| refused.below(&at.to_string()))
    }
}
