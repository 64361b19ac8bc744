//! Where plugins are compiled: here, or in a process of its own that ends with its work.
//!
//! Compiling takes some 20 MiB a plugin, which the allocator of a process that goes on keeps to itself: five plugins
//! left 105 MiB resident instead of 30. So `sluicebox run` has it done by its own program, started anew with the hidden
//! verb [`VERB`]: WebAssembly goes in at standard input, compiled code comes out at standard output. A compiler that
//! crashes or is killed for its memory takes nothing with it. Where that does not work, for whatever reason, the
//! plugin is compiled here.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use wasmtime::component::Component;

use super::engine::{self, EngineError};

/// The verb that compiles; not for people.
pub const VERB: &str = "compile-plugin";

/// Who compiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process.
    #[default]
    Here,
    /// A process of this program for each plugin.
    Apart(PathBuf),
}

/// Why [`compile`] gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Nothing can be compiled on this machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It is not a component that this program takes.
    #[error("it does not compile: {0:#}")]
    Component(wasmtime::Error),
    /// The pipes broke.
    #[error("standard input or output failed")]
    Io(#[from] io::Error),
}

impl Compiler {
    /// Processes of the program that is running. It must know [`VERB`].
    pub fn apart() -> Compiler {
        std::env::current_exe().map_or(Compiler::Here, Compiler::Apart)
    }

    /// The component of `binary`.
    pub(super) fn component(&self, engine: &wasmtime::Engine, binary: &[u8]) -> wasmtime::Result<Component> {
        if let Compiler::Apart(program) = self {
            match compiled_by(program, binary) {
                Ok(code) => match revive(engine, &code) {
                    Some(component) => return Ok(component),
                    None => tracing::debug!("the program was replaced since it was started: plugins are compiled here"),
                },
                Err(error) => tracing::debug!("no process to compile in, so it is done here: {error}"),
            }
        }
        Component::from_binary(engine, binary)
    }
}

/// A process of `program` compiles `binary`.
fn compiled_by(program: &PathBuf, binary: &[u8]) -> io::Result<Vec<u8>> {
    let mut child =
        Command::new(program).arg(VERB).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let code = exchange(&mut child, binary);
    if code.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    if status.success() { code } else { Err(io::Error::other(format!("it ended with {status}"))) }
}

/// All goes in before anything comes out.
fn exchange(child: &mut Child, binary: &[u8]) -> io::Result<Vec<u8>> {
    if let Some(mut input) = child.stdin.take() {
        input.write_all(binary)?;
    }
    let mut code = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_end(&mut code)?;
    }
    Ok(code)
}

/// What the verb does: a component comes in, compiled code goes out.
///
/// # Errors
/// It is no component, or the pipes broke.
pub fn compile(mut input: impl Read, mut output: impl Write) -> Result<(), CompileError> {
    let mut binary = Vec::new();
    input.read_to_end(&mut binary)?;
    let engine = engine::wasm()?;
    let code = engine.precompile_component(&binary).map_err(CompileError::Component)?;
    output.write_all(&code)?;
    output.flush()?;
    Ok(())
}

/// Compiled code, as a component; none if wasmtime finds that it is not for this engine.
#[allow(unsafe_code)]
pub(super) fn revive(engine: &wasmtime::Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `code` must be what wasmtime made of a component. It is in this process's memory, and came either from
    // a process of this very program, by a pipe that nobody else has, or whole from a file that only this user can
    // write, in a folder that only this user can write, matching the digest that was stored with it: it is neither
    // damaged nor another's. wasmtime itself checks version and settings.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::testing::engine;

    #[test]
    fn what_the_verb_writes_is_what_a_component_is_revived_from() {
        let binary = wat::parse_str("(component (core module (func (result i32) i32.const 1)))").unwrap();
        let mut code = Vec::new();
        compile(binary.as_slice(), &mut code).unwrap();
        assert!(revive(engine().wasm(), &code).is_some());
        let error = compile(&b"\0asm"[..], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("it does not compile"), "{error}");
    }

    #[test]
    fn without_a_process_that_compiles_it_is_done_here() {
        let binary = wat::parse_str("(component (core module (func (result i32) i32.const 2)))").unwrap();
        for program in ["/nonexistent/program", "/bin/true", "/bin/false", "/bin/cat"] {
            let compiler = Compiler::Apart(PathBuf::from(program));
            assert!(compiler.component(engine().wasm(), &binary).is_ok(), "{program}");
        }
    }
}
