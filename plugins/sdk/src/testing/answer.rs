//! What the host makes of a transform's answer.

use crate::bindings::types::{self, Plan};
use crate::cells::Cells;
use crate::testing::Telemetry;
use crate::testing::paths::key_of;
use crate::{Error, Level, OwnedValue};

/// The telemetry with the edits made; refuses what the host would take for a fault.
pub(super) fn apply(telemetry: &Telemetry, plan: &Plan, edits: &[types::Edit]) -> Result<Telemetry, Error> {
    let mut edited = telemetry.clone();
    for edit in edits {
        let path = plan.writes.get(edit.field as usize).ok_or_else(|| Error::new("an edit of a field not declared"))?;
        apply_one(&mut edited, path, edit).map_err(|problem| Error::at(path, problem))?;
    }
    Ok(edited)
}

fn apply_one(telemetry: &mut Telemetry, path: &str, edit: &types::Edit) -> Result<(), Error> {
    let cells = Cells::new(&edit.values);
    let all = crate::level::is_all_attributes(path);
    let lengths = [edit.entries.len(), edit.values.words.len(), if all { edit.keys.len() } else { cells.len() }];
    if lengths.iter().any(|&length| length != cells.len()) || (!all && !edit.keys.is_empty()) {
        return Err(Error::new(format!("lists of different lengths: {lengths:?} and {}", cells.len())));
    }
    if !edit.entries.is_sorted_by(|a, b| a < b || (all && a == b)) {
        return Err(Error::new("entries out of order, or edited twice"));
    }
    let mut entries = telemetry.level_mut(Level::of(path));
    for (at, &entry) in edit.entries.iter().enumerate() {
        let entry = entries.get_mut(entry as usize).ok_or_else(|| Error::new(format!("no entry {entry}")))?;
        let value = OwnedValue::copy_of(cells.value(at));
        let key = if all {
            edit.keys.get(at).map(|&key| String::from_utf8_lossy(cells.slice(key)).into_owned())
        } else {
            key_of(path)
        };
        match key {
            Some(key) => entry.set_attribute(&key, value),
            None => entry.set_field(path, value),
        }
    }
    Ok(())
}
