//! An empty WASI, for components of languages whose runtime asks for one: no files, no network, no environment, no
//! time, no output.
//!
//! It is not written function by function but derived from the types of what a component imports, whatever the
//! version: each function answers with the emptiest value of its type, and refuses where its type can say so. That
//! is what a runtime's start-up wants to hear (no arguments, no environment, no open folders, closed streams). The
//! crate `wasmtime-wasi` would bring a hundred crates to answer nothing.

use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Type, Val, types};
use wasmtime::{Result, StoreContextMut, bail};

use super::imports::Host;

/// Bytes that one call of `wasi:random` may ask for.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// What every resource of the empty world is.
struct Nothing;

/// Defines whatever the component imports from `wasi:`.
pub(super) fn link(linker: &mut Linker<Host>, component: &Component) -> Result<()> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        if let types::ComponentItem::ComponentInstance(instance) = import.ty
            && name.starts_with("wasi:")
        {
            link_interface(&mut linker.instance(name)?, name, &instance, engine)?;
        }
    }
    Ok(())
}

fn link_interface(
    linker: &mut LinkerInstance<'_, Host>,
    interface: &str,
    instance: &types::ComponentInstance,
    engine: &wasmtime::Engine,
) -> Result<()> {
    let answer = if interface.starts_with("wasi:random/") { answer_random } else { answer_emptily };
    for (name, item) in instance.exports(engine) {
        match item.ty {
            types::ComponentItem::ComponentFunc(_) => linker.func_new(name, answer)?,
            types::ComponentItem::Resource(_) => {
                linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

type Store<'a> = StoreContextMut<'a, Host>;

fn answer_emptily(mut store: Store<'_>, ty: types::ComponentFunc, _: &[Val], results: &mut [Val]) -> Result<()> {
    for (result, ty) in results.iter_mut().zip(ty.results()) {
        *result = emptiest(&mut store, &ty)?;
    }
    Ok(())
}

/// Randomness is a grant, so there is none here; but a runtime that seeds its hash maps must get as many bytes as it
/// asks for.
fn answer_random(store: Store<'_>, ty: types::ComponentFunc, params: &[Val], results: &mut [Val]) -> Result<()> {
    match (params, &mut *results) {
        ([Val::U64(length)], [result]) if returns_list(&ty) => {
            if *length > RANDOM_BYTES_MAX {
                bail!("more than {RANDOM_BYTES_MAX} random bytes in one call");
            }
            *result = Val::List((0..*length).map(|_| Val::U8(0)).collect());
            Ok(())
        }
        _ => answer_emptily(store, ty, params, results),
    }
}

fn returns_list(ty: &types::ComponentFunc) -> bool {
    matches!(ty.results().next(), Some(Type::List(_)))
}

/// The value of a type that says the least; of a `result`, the error.
fn emptiest(store: &mut Store<'_>, ty: &Type) -> Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(false),
        Type::S8 => Val::S8(0),
        Type::U8 => Val::U8(0),
        Type::S16 => Val::S16(0),
        Type::U16 => Val::U16(0),
        Type::S32 => Val::S32(0),
        Type::U32 => Val::U32(0),
        Type::S64 => Val::S64(0),
        Type::U64 => Val::U64(0),
        Type::Float32 => Val::Float32(0.0),
        Type::Float64 => Val::Float64(0.0),
        Type::Char => Val::Char(' '),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Map(_) => Val::Map(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Flags(_) => Val::Flags(Vec::new()),
        Type::Enum(ty) => Val::Enum(ty.names().next().unwrap_or_default().to_owned()),
        Type::Record(ty) => {
            let fields = ty.fields().map(|field| Ok((field.name.to_owned(), emptiest(store, &field.ty)?)));
            Val::Record(fields.collect::<Result<_>>()?)
        }
        Type::Tuple(ty) => Val::Tuple(ty.types().map(|ty| emptiest(store, &ty)).collect::<Result<_>>()?),
        Type::FixedLengthList(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            bail!("the empty WASI has no value of this type")
        }
        Type::Variant(ty) => emptiest_case(store, ty)?,
        Type::Result(ty) => Val::Result(match (ty.ok(), ty.err()) {
            (_, Some(err)) => Err(Some(Box::new(emptiest(store, &err)?))),
            (_, None) => Err(None),
        }),
        Type::Own(_) | Type::Borrow(_) => {
            Val::Resource(Resource::<Nothing>::new_own(0).try_into_resource_any(&mut *store)?)
        }
    })
}

/// A case that carries nothing, if there is one: of a stream's error, that it is closed.
fn emptiest_case(store: &mut Store<'_>, ty: &types::Variant) -> Result<Val> {
    let bare = ty.cases().find(|case| case.ty.is_none()).map(|case| case.name.to_owned());
    if let Some(name) = bare {
        return Ok(Val::Variant(name, None));
    }
    let first = ty.cases().next().and_then(|case| Some((case.name.to_owned(), case.ty?)));
    let Some((name, ty)) = first else { bail!("a variant without cases has no value") };
    Ok(Val::Variant(name, Some(Box::new(emptiest(store, &ty)?))))
}
