//! The derives and the attribute of `sluicebox-plugin`, which documents them.

mod config;
mod reason;
mod record;

use proc_macro::TokenStream;
use syn::{DeriveInput, Item, parse_macro_input};

/// Makes a struct a record: one field of the telemetry for each of its fields, named by `#[field("path")]`.
#[proc_macro_derive(Record, attributes(field))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum without data the reasons of a sampler.
#[proc_macro_derive(Reason)]
pub fn reason(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    reason::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum a config: it can be read from the pipeline file, an unknown key is refused, and its
/// doc comments become the descriptions of the JSON schema. Serde's attributes work below it: `#[serde(default)]`.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = proc_macro2::TokenStream::from(arguments);
    let item = parse_macro_input!(item as Item);
    config::expand(&arguments, &item).unwrap_or_else(syn::Error::into_compile_error).into()
}
