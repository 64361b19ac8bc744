//! A sampler whose config names its answer: `{"behaviour":"impossible"}`.

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "sampler-plugin" });

use std::cell::RefCell;

use exports::sluicebox::plugin::lifecycle::Guest as Lifecycle;
use exports::sluicebox::plugin::sampler::Guest as Sampler;
use sluicebox::plugin::types::{Batch, Decisions, Description, Plan, Signal};

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

    fn configure(config: String, _signal: Signal) -> Result<Plan, String> {
        CONFIG.set(config);
        Ok(Plan {
            reads: vec!["span.name".to_owned()],
            writes: vec![],
            reasons: vec!["every-second".to_owned(), "half".to_owned()],
        })
    }
}

impl Sampler for Samples {
    fn sample(batch: Batch) -> Result<Decisions, String> {
        let config = CONFIG.with_borrow(Clone::clone);
        let asked = |behaviour: &str| config.contains(&format!("\"{behaviour}\""));
        let rows = batch.rows as usize;
        let mut probabilities: Vec<f64> = (0..rows).map(|row| if row % 2 == 0 { 1.0 } else { 0.5 }).collect();
        let mut reasons: Vec<u8> = (0..rows).map(|row| (row % 2) as u8).collect();
        if asked("row-count") {
            probabilities.truncate(rows / 2);
        } else if asked("impossible") {
            probabilities.fill(f64::NAN);
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
