//! A filter whose config names its behaviour: `{"behaviour":"loop"}`; with `{"when":"bad"}` only for batches in which a
//! record has that text, so that it starts and answers the sample batch as it should.
//!
//! It imports every interface that a plugin may import, so it also serves the tests of grants.

// Its exports have names that only WebAssembly has: elsewhere the crate is empty.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "filter-plugin" });

use std::cell::RefCell;
use std::hint::black_box;

use exports::sluicebox::plugin::filter::Guest as Filter;
use exports::sluicebox::plugin::lifecycle::Guest as Lifecycle;
use sluicebox::plugin::types::{Batch, Column, Description, Plan, Signal};
use sluicebox::plugin::{clock, log, metrics, random, state};

struct Misbehaves;
export!(Misbehaves);

thread_local! {
    static BEHAVIOUR: RefCell<String> = const { RefCell::new(String::new()) };
    static WHEN: RefCell<Option<String>> = const { RefCell::new(None) };
    static HOARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The value of a text member of a flat JSON object.
fn member<'a>(config: &'a str, name: &str) -> Option<&'a str> {
    let after = config.split_once(&format!("\"{name}\""))?.1;
    let value = after.split_once(':')?.1.trim_start().strip_prefix('"')?;
    Some(value.split_once('"')?.0)
}

impl Lifecycle for Misbehaves {
    fn describe() -> Description {
        Description {
            name: "misbehaves".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Does whatever its config tells it to".to_owned(),
            config_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }

    fn configure(config: String, signal: Signal) -> Result<Plan, String> {
        std::panic::set_hook(Box::new(|panic| log::log(log::Level::Error, &panic.to_string())));
        let behaviour = member(&config, "behaviour").unwrap_or("keep").to_owned();
        match behaviour.as_str() {
            "configure-trap" => trap(),
            "configure-panic" => panic!("no beginning without an end"),
            "configure-loop" => spin(),
            "configure-refuse" => return Err(format!("no {signal:?} today")),
            "configure-plan" => {
                return Ok(Plan { reads: vec!["span.name".to_owned(); 5_000], writes: vec![], reasons: vec![] });
            }
            _ => {}
        }
        BEHAVIOUR.set(behaviour);
        WHEN.set(member(&config, "when").map(str::to_owned));
        let read = match signal {
            Signal::Traces => "span.name",
            Signal::Metrics => "metric.name",
            Signal::Logs => "log.body",
        };
        Ok(Plan { reads: vec![read.to_owned()], writes: vec![], reasons: vec![] })
    }
}

impl Filter for Misbehaves {
    fn filter(batch: Batch) -> Result<Vec<u8>, String> {
        let now = WHEN.with_borrow(|when| when.as_ref().is_none_or(|when| texts(&batch).any(|text| text == when)));
        let behaviour = if now { BEHAVIOUR.with_borrow(Clone::clone) } else { "keep".to_owned() };
        let poison = texts(&batch).any(|text| text == "poison");
        act(if poison { "unreachable" } else { &behaviour }, &batch)?;
        let bytes = (batch.rows as usize).div_ceil(8);
        Ok(match behaviour.as_str() {
            "short" => vec![0xff; bytes / 2],
            "huge" => vec![0xff; 48 << 20],
            "drop-short-names" => long_names(&batch),
            _ => vec![0xff; bytes],
        })
    }
}

fn act(behaviour: &str, batch: &Batch) -> Result<(), String> {
    match behaviour {
        "panic" => panic!("row {} was \u{1b}[31mred\n{}", batch.rows, "x".repeat(100_000)),
        "unreachable" => trap(),
        "out-of-bounds" => {
            // The last word of the address space: no memory of a test reaches so far.
            let beyond = black_box(usize::MAX - 7) as *const u64;
            black_box(unsafe { beyond.read() });
        }
        // By the length of a bitmap that is not there when all rows are alive.
        "divide" => return Err(divide(batch.rows, batch.live.as_ref().map_or(0, Vec::len) as u32).to_string()),
        "loop" => spin(),
        "hog" => HOARD.with_borrow_mut(|hoard| {
            loop {
                hoard.push(vec![1; 1 << 20]);
            }
        }),
        "leak" => HOARD.with_borrow_mut(|hoard| hoard.push(vec![1; 128 << 10])),
        "recurse" => {
            black_box(recurse(black_box(1)));
        }
        "count-alive" => return Err(format!("{} of {} alive", alive(batch), batch.rows)),
        "refuse" => return Err(format!("no batch of {} today", batch.rows)),
        "log" => log::log(log::Level::Info, &format!("batch of {}\nforged line\u{7}", batch.rows)),
        "spam" => {
            for line in 0..1_000 {
                log::log(log::Level::Warn, &format!("line {line} {}", "y".repeat(10_000)));
            }
        }
        "count" => {
            metrics::count("batches", 1);
            metrics::observe("rows", f64::from(batch.rows));
            metrics::count("Not A Name", 1);
            let _ = state::compare_and_add("batches", 1, None, None);
        }
        "many-names" => {
            for name in 0..1_000 {
                metrics::count(&format!("name_{name}"), 1);
            }
        }
        "look" => {
            let (now, then, luck) = (clock::now(), clock::monotonic(), random::next());
            log::log(log::Level::Info, &format!("{now} {then} {luck} {}", log::enabled(log::Level::Trace)));
        }
        "fill-state" => {
            let mut key = 0_u64;
            while state::put(&key.to_string(), &[0; 1_000], None).is_ok() {
                key += 1;
            }
            return Err(format!("{key} values fit"));
        }
        _ => {}
    }
    Ok(())
}

/// Traps at once. (Natively, where this crate is only compiled to be linted, it ends the process.)
fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort()
}

/// A division without the check that would panic first.
fn divide(a: u32, b: u32) -> u32 {
    // SAFETY: none, on purpose: the divisor is 0, and the instruction traps.
    unsafe { a.checked_div(b).unwrap_unchecked() }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Calls itself until the host's stack for wasm is used up: its frames are not in linear memory.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { recurse(depth + 1).rotate_left(1) ^ depth }
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

/// How many rows are alive.
fn alive(batch: &Batch) -> u32 {
    batch.live.as_ref().map_or(batch.rows, |live| live.iter().map(|byte| byte.count_ones()).sum())
}

/// Keeps rows whose text is at least five bytes long.
fn long_names(batch: &Batch) -> Vec<u8> {
    let mut bits = vec![0; (batch.rows as usize).div_ceil(8)];
    for (row, text) in texts(batch).enumerate() {
        bits[row / 8] |= u8::from(text.len() >= 5) << (row % 8);
    }
    bits
}
