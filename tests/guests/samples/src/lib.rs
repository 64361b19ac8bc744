//! A sampler whose config names its answer: `{"behaviour":"impossible"}`; with `{"when":"bad"}` only for batches in
//! which a record has that text. Otherwise it keeps every second record, and half of the others.

// Its exports have names that only WebAssembly has: elsewhere the crate is empty.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "sampler-plugin" });

use std::cell::RefCell;

use exports::sluicebox::plugin::lifecycle::Guest as Lifecycle;
use exports::sluicebox::plugin::sampler::Guest as Sampler;
use sluicebox::plugin::types::{Batch, Column, Decisions, Description, Plan, Signal};

struct Samples;
export!(Samples);

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Lifecycle for Samples {
    fn describe() -> Description {
        Description {
            name: "samples".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Answers with the decisions that its config names".to_owned(),
            config_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }

    fn configure(config: String, signal: Signal) -> Result<Plan, String> {
        CONFIG.set(config);
        Ok(Plan {
            reads: vec![if signal == Signal::Logs { "log.body" } else { "span.name" }.to_owned()],
            writes: vec![],
            reasons: vec!["every-second".to_owned(), "half".to_owned()],
        })
    }
}

impl Sampler for Samples {
    fn sample(batch: Batch) -> Result<Decisions, String> {
        let config = CONFIG.with_borrow(Clone::clone);
        let now = !config.contains("\"when\"") || texts(&batch).any(|text| config.contains(&format!("\"{text}\"")));
        let asked = |behaviour: &str| now && config.contains(&format!("\"{behaviour}\""));
        let rows = batch.rows as usize;
        let mut probabilities: Vec<f64> = (0..rows).map(|row| if row % 2 == 0 { 1.0 } else { 0.5 }).collect();
        let mut reasons: Vec<u8> = (0..rows).map(|row| (row % 2) as u8).collect();
        if asked("row-count") {
            probabilities.truncate(rows / 2);
        } else if asked("impossible") {
            probabilities.fill(f64::NAN);
        } else if asked("too-likely") {
            probabilities.fill(1.5);
        } else if asked("unlikely") {
            probabilities.fill(-0.5);
        } else if asked("reason-count") {
            reasons.push(0);
        } else if asked("half") {
            probabilities.fill(0.5);
            reasons.fill(1);
        } else if asked("quarter") {
            probabilities.fill(0.25);
        } else if asked("none") {
            probabilities.fill(0.0);
        } else if asked("unreasonable") {
            reasons.fill(200);
        } else if asked("huge") {
            probabilities = vec![1.0; 6 << 20];
        } else if asked("refuse") {
            return Err("not these".to_owned());
        }
        Ok(Decisions { probabilities, reasons })
    }
}

/// The texts of the batch's first column.
fn texts(batch: &Batch) -> impl Iterator<Item = &str> {
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
