//! A transform whose config names its answer: `{"behaviour":"undeclared"}`; with `{"when":"bad"}` only for batches in
//! which a span has that name. Otherwise it names every span `renamed`.

// Its exports have names that only WebAssembly has: elsewhere the crate is empty.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "transform-plugin" });

use std::cell::RefCell;

use exports::sluicebox::plugin::lifecycle::Guest as Lifecycle;
use exports::sluicebox::plugin::transform::Guest as Transform;
use sluicebox::plugin::types::{Batch, Cells, Column, Description, Edit, Plan, Signal};

struct Edits;
export!(Edits);

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Lifecycle for Edits {
    fn describe() -> Description {
        Description {
            name: "edits".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Answers with the edits that its config names".to_owned(),
            config_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }

    fn configure(config: String, _signal: Signal) -> Result<Plan, String> {
        let asked = |behaviour: &str| config.contains(&format!("\"{behaviour}\""));
        let mut plan = Plan {
            reads: vec!["span.name".to_owned()],
            writes: vec!["span.name".to_owned(), "span.attributes[*]".to_owned()],
            reasons: vec![],
        };
        if asked("plan-unknown") {
            plan.reads.push("span.nmae".to_owned());
        } else if asked("plan-other-signal") {
            plan.reads.push("log.body".to_owned());
        } else if asked("plan-read-only") {
            plan.writes.push("span.duration".to_owned());
        }
        CONFIG.set(config);
        Ok(plan)
    }
}

impl Transform for Edits {
    fn transform(batch: Batch) -> Result<Vec<Edit>, String> {
        let config = CONFIG.with_borrow(Clone::clone);
        let now = !config.contains("\"when\"") || names(&batch).any(|name| config.contains(&format!("\"{name}\"")));
        let asked = |behaviour: &str| now && config.contains(&format!("\"{behaviour}\""));
        let rows = batch.rows;
        let mut edit = rename(rows);
        if asked("undeclared") {
            edit.field = 7;
        } else if asked("row-count") {
            edit.entries = (0..rows + 10).collect();
        } else if asked("unordered") {
            edit.entries.reverse();
        } else if asked("wrong-type") {
            edit.values.kinds.fill(9);
        } else if asked("out-of-data") {
            edit.values.words.fill(u64::MAX);
        } else if asked("not-utf8") {
            edit.values.data.fill(0xff);
        } else if asked("huge") {
            edit.values.data = vec![b'x'; 48 << 20];
        } else if asked("twice") {
            return Ok(vec![edit.clone(), edit]);
        } else if asked("keyless") {
            edit.field = 1;
        } else if asked("nested") {
            edit = attribute(rows);
            edit.values.kinds.fill(7);
        } else if asked("refuse") {
            return Err("not these".to_owned());
        }
        Ok(vec![edit])
    }
}

/// Names every span `renamed`.
fn rename(rows: u32) -> Edit {
    let data = b"renamed".to_vec();
    let words = vec![data.len() as u64; rows as usize];
    Edit {
        field: 0,
        entries: (0..rows).collect(),
        keys: vec![],
        values: Cells { kinds: vec![2; rows as usize], words, data },
    }
}

/// Sets an attribute with a one-letter key on every span.
fn attribute(rows: u32) -> Edit {
    let edit = rename(rows);
    Edit { field: 1, keys: vec![1; rows as usize], ..edit }
}

/// The names of the batch's spans.
fn names(batch: &Batch) -> impl Iterator<Item = &str> {
    let cells = match batch.columns.first() {
        Some(Column::Cells(cells)) => Some(cells),
        _ => None,
    };
    cells.into_iter().flat_map(|cells| {
        cells.words.iter().map(|word| {
            let (offset, length) = ((word >> 32) as usize, (word & 0xffff_ffff) as usize);
            str::from_utf8(&cells.data[offset..offset + length]).unwrap_or("")
        })
    })
}
