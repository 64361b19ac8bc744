//! A plugin file: from bytes of unknown origin to compiled code whose interface is known to fit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};

use super::engine::Engine;
use super::fault::Fault;
use super::imports::Host;
use super::interface::{self, Import, Interface, Mismatch};
use super::{Description, Kind, api, empty_wasi, stage};

/// Bytes of the largest file that is compiled. wasmtime promises nothing about how long compilation takes.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Wall time of `describe`.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(2);
/// Linear memory during `describe`, in bytes: what an interpreter takes before it does anything.
const DESCRIBE_MEMORY: usize = 256 << 20;
/// Bytes that `describe` may answer with.
const DESCRIPTION_BYTES_MAX: usize = 1 << 20;

/// A compiled plugin. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    component: Component,
    digest: Digest,
    file_bytes: usize,
    interface: Interface,
    description: Description,
}

/// SHA-256 of a plugin's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    /// Writes 64 hexadecimal digits, or as many as the precision asks for: `{:.12}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(64).min(64);
        let hex = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        hex.take(digits).try_for_each(|digit| write!(f, "{digit:x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self:.12}")
    }
}

/// Bytes that are not a plugin for this host. Whoever knows where they came from says so around it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is larger than [`FILE_BYTES_MAX`].
    #[error("the file has {bytes} bytes, more than the {FILE_BYTES_MAX} that a plugin may have")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It does not begin as WebAssembly does.
    #[error("not a WebAssembly file: {0}; build the plugin for wasm32-unknown-unknown and name the .wasm file")]
    NotWasm(String),
    /// It begins as WebAssembly does, but is cut off or broken.
    #[error("the WebAssembly is truncated or broken: {0}; build or copy the file again")]
    Broken(String),
    /// Its interface is not the host's.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It uses what this host does not run, or does not compile.
    #[error("the WebAssembly does not compile here: {0}")]
    Compile(String),
    /// It failed when it was asked for its name.
    #[error("the plugin does not say who it is (`describe` failed)")]
    Describe(#[source] Fault),
}

impl Plugin {
    /// Checks and compiles a plugin: a component, or a core module that carries its interface types, as
    /// `cargo build --target wasm32-unknown-unknown` makes it. Takes up to seconds of all cores: call it where
    /// blocking is allowed.
    pub fn load(engine: &Engine, bytes: &[u8]) -> Result<Plugin, LoadError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(LoadError::TooLarge { bytes: bytes.len() });
        }
        let encoded = match Form::of(bytes)? {
            Form::Component => None,
            Form::CoreModule => Some(componentize(bytes)?),
        };
        let binary = encoded.as_deref().unwrap_or(bytes);
        validate(binary)?;
        let names = interface::names(binary).map_err(|error| LoadError::Broken(format!("{error:#}")))?;
        let interface = Interface::check(&names)?;
        let component = engine.compile(binary).map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        let description = describe(engine, &component, interface.kind)?;
        let (digest, file_bytes) = (Digest::of(bytes), bytes.len());
        let inner = Inner { engine: engine.clone(), component, digest, file_bytes, interface, description };
        Ok(Plugin { inner: Arc::new(inner) })
    }

    /// Who the plugin says it is.
    pub fn describe(&self) -> &Description {
        &self.inner.description
    }

    /// Filter, sampler or transform.
    pub fn kind(&self) -> Kind {
        self.inner.interface.kind
    }

    /// What it imports, in the order of the file.
    pub fn imports(&self) -> &[Import] {
        &self.inner.interface.imports
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Size of the file, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.inner.file_bytes
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(super) fn component(&self) -> &Component {
        &self.inner.component
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { name, version, .. } = self.describe();
        write!(f, "Plugin({name} {version} {:?})", self.digest())
    }
}

/// What the header says that the bytes are.
enum Form {
    CoreModule,
    Component,
}

impl Form {
    fn of(bytes: &[u8]) -> Result<Form, LoadError> {
        const MAGIC: &[u8] = b"\0asm";
        if bytes.is_empty() {
            return Err(LoadError::NotWasm("the file is empty".to_owned()));
        }
        let (start, rest) = bytes.split_at(bytes.len().min(MAGIC.len()));
        if !MAGIC.starts_with(start) {
            return Err(LoadError::NotWasm(format!(
                "it begins with \"{}\"",
                bytes[..bytes.len().min(8)].escape_ascii()
            )));
        }
        match rest.get(..4) {
            Some([1, 0, 0, 0]) => Ok(Form::CoreModule),
            Some([13, 0, 1, 0]) => Ok(Form::Component),
            Some(version) => Err(LoadError::Broken(format!("unknown binary version {version:?}"))),
            None => Err(LoadError::Broken(format!("it ends after {} bytes", bytes.len()))),
        }
    }
}

fn validate(bytes: &[u8]) -> Result<(), LoadError> {
    let features = wasmparser::WasmFeatures::default();
    match wasmparser::Validator::new_with_features(features).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(LoadError::Broken(error.to_string())),
    }
}

fn componentize(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    validate(module)?;
    interface::check_core_imports(module)?;
    let encoder = wit_component::ComponentEncoder::default().module(module);
    let encoded = encoder.and_then(|encoder| encoder.validate(true).encode());
    // The module itself is whole; what the encoder does not like is how it fits the interface that it names.
    encoded.map_err(|error| Mismatch::Types(format!("{error:#}")).into())
}

/// Asks a throw-away instance, which can reach nothing: every import but the log traps.
fn describe(engine: &Engine, component: &Component, kind: Kind) -> Result<Description, LoadError> {
    let misfit = |error: wasmtime::Error| LoadError::Mismatch(Mismatch::Types(format!("{error:#}")));
    let mut linker = Linker::new(engine.wasm());
    let linked = api::v0_1::link(&mut linker, &[])
        .and_then(|()| empty_wasi::link(&mut linker, component))
        .and_then(|()| linker.define_unknown_imports_as_traps(component))
        .and_then(|()| linker.instantiate_pre(component))
        .and_then(|pre| api::v0_1::Prepared::new(pre, kind));
    let prepared = linked.map_err(misfit)?;
    let mut store = stage::blocking_store(engine, Host::alone(DESCRIBE_MEMORY), DESCRIBE_DEADLINE);
    store.set_hostcall_fuel(DESCRIPTION_BYTES_MAX);
    let _awake = engine.ticker().keep_awake();
    let fault =
        |error: wasmtime::Error, host: &mut Host| LoadError::Describe(Fault::judge(&error, host, DESCRIBE_DEADLINE));
    let instance = prepared.instantiate_blocking(&mut store).map_err(|error| fault(error, store.data_mut()))?;
    let guest = prepared.load(&mut store, &instance).map_err(misfit)?;
    guest.describe_blocking(&mut store).map_err(|error| fault(error, store.data_mut()))
}
