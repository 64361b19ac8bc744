//! An empty WASI: for components from languages whose runtime asks for one.

use wasmtime::Result;
use wasmtime::component::{Component, Linker};

use super::imports::Host;

pub(super) fn link(_linker: &mut Linker<Host>, _component: &Component) -> Result<()> {
    Ok(())
}
