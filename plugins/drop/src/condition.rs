//! Conditions: a tree whose leaves are checks of one field, answered as sets of rows.

use sluicebox_plugin::{Batch, Field, Level, Rows};

use crate::check::{Check, is_one_of};

/// What the records that are dropped have in common.
pub enum Condition {
    /// The field passes the check.
    Field(Field, Check),
    /// All of these are true; of none, true.
    All(Vec<Condition>),
    /// At least one of these is true.
    Any(Vec<Condition>),
    /// It is not true.
    Not(Box<Condition>),
}

impl Condition {
    /// All of several, the cheapest first: what one rules out, the next is not asked about.
    pub fn all(mut conditions: Vec<Condition>) -> Self {
        conditions.sort_by_key(Condition::cost);
        Condition::All(conditions)
    }

    /// Any of several, the cheapest first.
    pub fn any(mut conditions: Vec<Condition>) -> Self {
        conditions.sort_by_key(Condition::cost);
        Condition::Any(conditions)
    }

    /// How expensive it is, by rough order.
    fn cost(&self) -> u32 {
        match self {
            // One answer a resource or a scope, against one a record.
            Condition::Field(field, check) if field.level() != Level::Record => check.cost(),
            Condition::Field(_, check) => check.cost() * 4,
            Condition::All(of) | Condition::Any(of) => of.iter().map(Condition::cost).fold(0, u32::saturating_add),
            Condition::Not(of) => of.cost(),
        }
    }

    /// The rows among `rows` for which it is true.
    pub fn matches(&self, batch: &Batch, rows: &Rows) -> Rows {
        match self {
            Condition::Field(field, check) => check_field(*field, check, batch, rows),
            Condition::All(conditions) => {
                conditions.iter().fold(rows.clone(), |left, condition| condition.matches(batch, &left))
            }
            Condition::Any(conditions) => {
                let (mut left, mut matched) = (rows.clone(), rows.none_of());
                for condition in conditions {
                    let found = condition.matches(batch, &left);
                    left.remove(&found);
                    matched.add(&found);
                }
                matched
            }
            Condition::Not(condition) => {
                let mut left = rows.clone();
                left.remove(&condition.matches(batch, rows));
                left
            }
        }
    }
}

fn check_field(field: Field, check: &Check, batch: &Batch, rows: &Rows) -> Rows {
    let mut passed = rows.clone();
    if passed.is_empty() {
        return passed;
    }
    let cells = batch.cells(field);
    let mut checked = check.on(cells);
    match field.level() {
        Level::Record => match check.texts() {
            // What most configs ask, without a detour.
            Some(texts) => passed.retain(|row| cells.get(row).is_some_and(|text| is_one_of(texts, text))),
            None => passed.retain(|row| checked.passes(row)),
        },
        level @ (Level::Event | Level::Link) => {
            passed.retain(|row| batch.entries(level, row).any(|entry| checked.passes(entry)));
        }
        // Many rows, few resources, scopes and metrics: each is asked about once.
        level => {
            let mut answers: Vec<Option<bool>> = vec![None; cells.len()];
            passed.retain(|row| {
                let entry = batch.entry(level, row).unwrap_or(usize::MAX);
                let known = answers.get_mut(entry);
                known.is_some_and(|known| *known.get_or_insert_with(|| checked.passes(entry)))
            });
        }
    }
    passed
}
