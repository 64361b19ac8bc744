//! What the pipeline file says, and what it means.

use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::{Error, Level, OwnedValue, Setup, Signal, config};

use crate::action::{Action, Constant, Kind};
use crate::registers::Register;

/// Changes attributes of records, scopes and resources.
#[config]
pub struct Config {
    /// What is done, in order; later actions see what earlier ones did.
    pub actions: Vec<Written>,
}

/// One action: exactly one of `set`, `rename`, `copy`, `delete`, `hash`, `convert`, `truncate`, each with the path of
/// an attribute, and what that needs besides.
#[config]
#[derive(Default)]
#[serde(default)]
pub struct Written {
    /// Gives the attribute the value `value`.
    pub set: Option<String>,
    /// Moves the attribute to the path `to`, if it is there.
    pub rename: Option<String>,
    /// Copies the field, of any kind, to the attribute `to`, if it is there.
    pub copy: Option<String>,
    /// Deletes the attribute.
    pub delete: Option<String>,
    /// Replaces the attribute by the SHA-256 of its text, as hexadecimal digits.
    pub hash: Option<String>,
    /// Turns the attribute into the type `to`; what cannot be turned stays as it is.
    pub convert: Option<String>,
    /// Cuts the attribute to `bytes` bytes, not inside a character.
    pub truncate: Option<String>,
    /// For `set`: text, a number, true or false, a list or a map of these.
    pub value: Option<Json>,
    /// For `rename` and `copy`: the path of an attribute. For `convert`: `int`, `double`, `bool` or `string`.
    pub to: Option<String>,
    /// For `truncate`.
    pub bytes: Option<usize>,
}

/// Reads the actions; declares the fields that they name.
pub fn compile(config: Config, setup: &mut Setup) -> Result<(Vec<Register>, Vec<Action>), Error> {
    if config.actions.is_empty() {
        return Err(Error::at("actions", "no action; add one, as in - delete: attributes[\"debug\"]"));
    }
    let mut compiler = Compiler { setup, paths: Vec::new(), registers: Vec::new() };
    let actions = config.actions.into_iter().enumerate().map(|(index, written)| {
        compiler.action(written).map_err(|problem| Error::at(format!("actions[{index}]"), problem))
    });
    let actions = actions.collect::<Result<_, _>>()?;
    Ok((compiler.registers, actions))
}

struct Compiler<'s> {
    setup: &'s mut Setup,
    paths: Vec<String>,
    registers: Vec<Register>,
}

impl Compiler<'_> {
    fn action(&mut self, written: Written) -> Result<Action, Error> {
        let Written { set, rename, copy, delete, hash, convert, truncate, value, to, bytes } = written;
        match (set, rename, copy, delete, hash, convert, truncate, value, to, bytes) {
            (Some(path), None, None, None, None, None, None, Some(value), None, None) => {
                let constant = Constant::new(constant(&value).map_err(|problem| Error::at("value", problem))?);
                Ok(Action::Set(self.attribute(&path, false)?, constant))
            }
            (None, Some(from), None, None, None, None, None, None, Some(to), None) => {
                let (from, to) = (self.attribute(&from, true)?, self.attribute(&to, false)?);
                self.reaches(from, to, "rename within a level, or copy and delete")?;
                Ok(Action::Rename { from, to })
            }
            (None, None, Some(from), None, None, None, None, None, Some(to), None) => {
                let (from, to) = (self.register(&from, true)?, self.attribute(&to, false)?);
                let record = self.registers.get(to).is_some_and(|register| register.level == Level::Record);
                if !record {
                    self.reaches(from, to, "only records copy from another level, from what they belong to")?;
                }
                Ok(Action::Copy { from, to })
            }
            (None, None, None, Some(path), None, None, None, None, None, None) => {
                Ok(Action::Delete(self.attribute(&path, true)?))
            }
            (None, None, None, None, Some(path), None, None, None, None, None) => {
                Ok(Action::Hash(self.attribute(&path, true)?))
            }
            (None, None, None, None, None, Some(path), None, None, Some(to), None) => {
                Ok(Action::Convert(self.attribute(&path, true)?, kind(&to)?))
            }
            (None, None, None, None, None, None, Some(path), None, None, Some(bytes)) => {
                Ok(Action::Truncate(self.attribute(&path, true)?, bytes))
            }
            _ => Err(Error::new(SHAPES)),
        }
    }

    /// The register of an attribute, which is changed.
    fn attribute(&mut self, path: &str, reads: bool) -> Result<usize, Error> {
        if !path.contains("[\"") {
            return Err(Error::at(path, "expected the path of an attribute, such as attributes[\"key\"]"));
        }
        let at = self.register(path, reads)?;
        let path = self.paths.get(at).cloned().unwrap_or_default();
        if let Some(register) = self.registers.get_mut(at) {
            register.write = Some(self.setup.write(&path)?);
        }
        Ok(at)
    }

    /// The register of a field. Fields of resources, scopes and metrics are read in any case, to know how many there
    /// are.
    fn register(&mut self, path: &str, reads: bool) -> Result<usize, Error> {
        let path = canonical(path, self.setup.signal());
        let level = Level::of(&path);
        if level.is_many() {
            return Err(Error::at(path, "events and links of spans are not changed here"));
        }
        let known = self.paths.iter().position(|known| *known == path);
        let at = known.unwrap_or_else(|| {
            self.paths.push(path.clone());
            self.registers.push(Register { level, ..Register::default() });
            self.registers.len() - 1
        });
        if let Some(register) = self.registers.get_mut(at)
            && (reads || level != Level::Record)
        {
            register.read = Some(self.setup.read(&path)?);
        }
        Ok(at)
    }

    /// Refuses two fields of different levels.
    fn reaches(&self, from: usize, to: usize, mend: &str) -> Result<(), Error> {
        let level = |at: usize| self.registers.get(at).map(|register| register.level);
        if level(from) == level(to) {
            Ok(())
        } else {
            Err(Error::new(format!("not from one level to another: {mend}")))
        }
    }
}

const SHAPES: &str = "expected one of { set: path, value: … }, { rename: path, to: path }, { copy: path, to: path }, \
                      { delete: path }, { hash: path }, { convert: path, to: type }, { truncate: path, bytes: … }";

/// The attributes of a record have two names; here they have one, so that actions see each other's results.
fn canonical(path: &str, signal: Signal) -> String {
    let own = match signal {
        Signal::Traces => "span.attributes[",
        Signal::Metrics => "datapoint.attributes[",
        Signal::Logs => "log.attributes[",
    };
    match path.strip_prefix(own) {
        Some(rest) => format!("attributes[{rest}"),
        None => path.to_owned(),
    }
}

fn kind(to: &str) -> Result<Kind, Error> {
    match to {
        "int" => Ok(Kind::Int),
        "double" => Ok(Kind::Double),
        "bool" => Ok(Kind::Bool),
        "string" => Ok(Kind::String),
        _ => Err(Error::at("to", format!("no such type `{to}`; expected int, double, bool or string"))),
    }
}

/// A value of the config as an attribute's.
fn constant(json: &Json) -> Result<OwnedValue, Error> {
    Ok(match json {
        Json::Null => return Err(Error::new("no value; to take the attribute away, write { delete: path }")),
        Json::Bool(bool) => OwnedValue::Bool(*bool),
        Json::String(text) => OwnedValue::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => OwnedValue::Int(int),
            (None, Some(double)) => OwnedValue::Double(double),
            _ => return Err(Error::new(format!("`{number}` is out of range"))),
        },
        Json::Array(values) => OwnedValue::Array(values.iter().map(constant).collect::<Result<_, _>>()?),
        Json::Object(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| Ok((key.clone(), constant(value)?)));
            OwnedValue::KvList(pairs.collect::<Result<_, Error>>()?)
        }
    })
}
