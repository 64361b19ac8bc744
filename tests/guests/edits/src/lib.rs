//! A transform whose config names its answer: `{"behaviour":"undeclared"}`.

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "transform-plugin" });

use std::cell::RefCell;

use exports::sluicebox::plugin::lifecycle::Guest as Lifecycle;
use exports::sluicebox::plugin::transform::Guest as Transform;
use sluicebox::plugin::types::{Batch, Cells, Description, Edit, Plan, Signal};

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
        CONFIG.set(config);
        Ok(Plan {
            reads: vec!["span.name".to_owned()],
            writes: vec!["span.name".to_owned(), "span.attributes[*]".to_owned()],
            reasons: vec![],
        })
    }
}

impl Transform for Edits {
    fn transform(batch: Batch) -> Result<Vec<Edit>, String> {
        let config = CONFIG.with_borrow(Clone::clone);
        let asked = |behaviour: &str| config.contains(&format!("\"{behaviour}\""));
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
