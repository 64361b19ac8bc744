//! The one engine of the process: how plugins are compiled, and the clock that their calls are killed by.

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{Config, InstanceAllocationStrategy, WasmBacktraceDetails};

use super::cache::CodeCache;
use super::compiler::Compiler;
use super::ticker::{Ticker, TickerHandle};

/// Stack of a guest, in bytes. Deep enough for a regex or a JSON parser, shallow enough that an endless recursion
/// dirties little before it traps.
const GUEST_STACK_BYTES: usize = 512 << 10;
/// Stack of a call: the guest's, and room for a host import (the log's subscriber is the deepest).
const CALL_STACK_BYTES: usize = GUEST_STACK_BYTES + (512 << 10);
/// Frames of a trap's backtrace that are kept.
const BACKTRACE_FRAMES: usize = 8;

/// Compiles plugins and lets their calls time out. Cheap to clone; one per process.
#[derive(Clone, Debug)]
pub struct Engine {
    wasm: wasmtime::Engine,
    cache: CodeCache,
    compiler: Compiler,
    ticker: Arc<Ticker>,
}

/// The engine could not be made: the machine is not one that wasm can be compiled for, or has no thread to spare.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration.
    #[error("cannot set up WebAssembly on this machine: {0:#}")]
    Wasmtime(wasmtime::Error),
    /// The ticker's thread was not started.
    #[error("cannot start the thread that watches plugin deadlines")]
    Ticker(#[source] std::io::Error),
}

impl Engine {
    /// An engine that compiles every plugin. Starts its ticker, which ends with the last clone.
    pub fn new() -> Result<Engine, EngineError> {
        Engine::with(CodeCache::none(), Compiler::Here)
    }

    /// An engine that has what is not in the cache compiled.
    pub fn with(cache: CodeCache, compiler: Compiler) -> Result<Engine, EngineError> {
        let wasm = wasm()?;
        // Weak: the ticker must not keep alive what owns it.
        let weak = wasm.weak();
        let ticker = Ticker::start(move || {
            if let Some(wasm) = weak.upgrade() {
                wasm.increment_epoch();
            }
        })
        .map_err(EngineError::Ticker)?;
        Ok(Engine { wasm, cache, compiler, ticker: Arc::new(ticker) })
    }

    /// wasmtime's engine.
    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    /// Compiles a component that was checked, or takes it from the cache.
    pub(super) fn compile(&self, binary: &[u8]) -> wasmtime::Result<Component> {
        self.cache.component(&self.wasm, &self.compiler, binary)
    }

    /// The clock of calls.
    pub(super) fn ticker(&self) -> &TickerHandle {
        self.ticker.handle()
    }
}

/// wasmtime's engine, set up as all code is compiled for.
pub(super) fn wasm() -> Result<wasmtime::Engine, EngineError> {
    wasmtime::Engine::new(&config()).map_err(EngineError::Wasmtime)
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .parallel_compilation(true)
        // On demand, not pooled. Measured: an idle instance takes 50 KiB of resident memory, and 40 µs to start with
        // its `configure`; it lives as long as its generation. A pool would save those microseconds a few times an
        // hour, and ask for one memory cap over all stages.
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        // Function names of a trap, but not the lines: reading DWARF would cost megabytes a plugin.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES))
        // Nothing that a plugin needs, and each one less to trust. Relaxed SIMD would also answer differently on
        // different machines.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}
