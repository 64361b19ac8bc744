//! What the pipeline file says, and what it means.

use std::borrow::Cow;

use memchr::memmem::Finder;
use regex_lite::Regex;
use sluicebox_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sluicebox_plugin::serde::{Deserialize, Deserializer};
use sluicebox_plugin::serde_json::{Map, Value as Json};
use sluicebox_plugin::{Error, Setup};

use crate::check::{Bound, Check, Test};
use crate::condition::Condition;
use crate::operand::Notation;

/// A condition as it is written: a map from field paths to what their values must be, and `any`, `all`, `not`.
pub struct Config {
    map: Map<String, Json>,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Config { map: Map::deserialize(deserializer)? })
    }
}

/// Levels of `any`, `all` and `not`: more than anybody writes, few enough for the stack.
const DEPTH_MAX: usize = 32;

/// Reads the config; declares the fields that it names.
pub fn condition(config: &Config, setup: &mut Setup) -> Result<Condition, Error> {
    Reader { setup }.map(&config.map, "", DEPTH_MAX)
}

struct Reader<'s> {
    setup: &'s mut Setup,
}

impl Reader<'_> {
    /// A condition: all entries of the map must hold.
    fn map(&mut self, map: &Map<String, Json>, at: &str, depth: usize) -> Result<Condition, Error> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::at(at, format!("conditions are nested deeper than {DEPTH_MAX}")));
        };
        if map.is_empty() {
            let problem = "no condition; name a field, as in { span.name: health }, or any, all, not";
            return Err(if at.is_empty() { Error::new(problem) } else { Error::at(at, problem) });
        }
        let conditions = map.iter().map(|(key, json)| {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match key.as_str() {
                "any" => Ok(Condition::any(self.list(json, &at, depth)?)),
                "all" => Ok(Condition::all(self.list(json, &at, depth)?)),
                "not" => Ok(Condition::Not(Box::new(self.nested(json, &at, depth)?))),
                path => {
                    let check = check(path, json).map_err(|problem| Error::at(&at, problem))?;
                    Ok(Condition::Field(self.setup.read(path)?, check))
                }
            }
        });
        let mut conditions = conditions.collect::<Result<Vec<_>, Error>>()?;
        match conditions.pop() {
            Some(only) if conditions.is_empty() => Ok(only),
            last => Ok(Condition::all(conditions.into_iter().chain(last).collect())),
        }
    }

    fn list(&mut self, json: &Json, at: &str, depth: usize) -> Result<Vec<Condition>, Error> {
        let list = json.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| Error::at(at, "expected a list of conditions"))?;
        list.iter().enumerate().map(|(index, json)| self.nested(json, &format!("{at}[{index}]"), depth)).collect()
    }

    fn nested(&mut self, json: &Json, at: &str, depth: usize) -> Result<Condition, Error> {
        let map = json.as_object().ok_or_else(|| Error::at(at, "expected a condition: field paths, any, all, not"))?;
        self.map(map, at, depth)
    }
}

/// What the field with that path must be.
fn check(path: &str, json: &Json) -> Result<Check, Error> {
    let notation = Notation::of(path);
    let tests = match json {
        Json::Array(list) => vec![one_of(list, notation)?],
        Json::Object(map) => tests(map, notation)?,
        scalar => vec![Test::one_of(vec![notation.operand(scalar)?])],
    };
    Ok(Check::new(tests))
}

fn one_of(list: &[Json], notation: Notation) -> Result<Test, Error> {
    if list.is_empty() {
        return Err(Error::new("an empty list: no record can match"));
    }
    Ok(Test::one_of(list.iter().map(|json| notation.operand(json)).collect::<Result<_, _>>()?))
}

/// The tests that an object names.
fn tests(map: &Map<String, Json>, notation: Notation) -> Result<Vec<Test>, Error> {
    let mut tests = Vec::new();
    let mut bounds = Vec::new();
    for (name, json) in map {
        let read = test(name, json, notation, &mut bounds).map_err(|problem| Error::at(name, problem))?;
        tests.extend(read);
    }
    if !bounds.is_empty() {
        tests.push(Test::Range(bounds));
    }
    if tests.is_empty() {
        return Err(Error::new(format!("nothing is asked; expected some of {NAMES}")));
    }
    Ok(tests)
}

const NAMES: &str = "equals, in, prefix, suffix, contains, regex, gt, gte, lt, lte, exists";

/// One test; bounds are collected, since two of them are one range.
fn test(
    name: &str,
    json: &Json,
    notation: Notation,
    bounds: &mut Vec<(Bound, crate::operand::Number)>,
) -> Result<Option<Test>, Error> {
    let text = || {
        let text = json.as_str().map(str::to_owned);
        text.ok_or_else(|| Error::new(format!("expected text, found `{json}`")))
    };
    let mut bound = |bound| {
        bounds.push((bound, notation.number(json)?));
        Ok(None)
    };
    match name {
        "equals" => Ok(Some(Test::one_of(vec![notation.operand(json)?]))),
        "in" => {
            let list = json.as_array().ok_or_else(|| Error::new(format!("expected a list, found `{json}`")))?;
            one_of(list, notation).map(Some)
        }
        "prefix" => Ok(Some(Test::Prefix(text()?))),
        "suffix" => Ok(Some(Test::Suffix(text()?))),
        "contains" => Ok(Some(Test::Contains(Box::new(Finder::new(&text()?).into_owned())))),
        "regex" => Ok(Some(Test::Matches(Regex::new(&text()?)?))),
        "gt" => bound(Bound::Above),
        "gte" => bound(Bound::AtLeast),
        "lt" => bound(Bound::Below),
        "lte" => bound(Bound::AtMost),
        "exists" => {
            let wanted = json.as_bool().ok_or_else(|| Error::new(format!("expected true or false, found `{json}`")))?;
            Ok(Some(Test::Exists(wanted)))
        }
        _ => Err(Error::new(format!("no such test; expected {NAMES}"))),
    }
}

impl JsonSchema for Config {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let condition = generator.subschema_for::<Config>();
        let scalar = json_schema!({ "type": ["string", "number", "boolean"] });
        let number = json_schema!({ "type": ["number", "string"] });
        json_schema!({
            "description": "Records for which this is true are dropped. Each key is a field path, whose value is what the field must be (a value, a list of values, or an object of tests), or any, all, not. All entries must hold.",
            "type": "object",
            "minProperties": 1,
            "properties": {
                "any": { "description": "At least one of these is true.", "type": "array", "minItems": 1, "items": condition },
                "all": { "description": "All of these are true.", "type": "array", "minItems": 1, "items": condition },
                "not": condition,
            },
            "additionalProperties": {
                "anyOf": [
                    scalar,
                    { "description": "One of these values.", "type": "array", "minItems": 1, "items": scalar },
                    {
                        "description": "All of these tests hold.",
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": false,
                        "properties": {
                            "equals": scalar,
                            "in": { "type": "array", "minItems": 1, "items": scalar },
                            "prefix": { "type": "string" },
                            "suffix": { "type": "string" },
                            "contains": { "type": "string" },
                            "regex": { "type": "string" },
                            "gt": number,
                            "gte": number,
                            "lt": number,
                            "lte": number,
                            "exists": { "type": "boolean" },
                        },
                    },
                ],
            },
        })
    }
}
