//! `#[config]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Fields, Item, Result};

pub fn expand(arguments: &TokenStream, item: &Item) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "#[config] takes no arguments"));
    }
    let (attributes, strict) = match item {
        Item::Struct(item) => (&item.attrs, matches!(&item.fields, Fields::Named(fields) if closed(fields))),
        Item::Enum(item) => {
            (&item.attrs, item.variants.iter().any(|variant| matches!(variant.fields, Fields::Named(_))))
        }
        other => return Err(Error::new_spanned(other, "#[config] is for a struct or an enum")),
    };
    let strict = strict && !attributes.iter().any(|attribute| says(attribute, &["deny_unknown_fields", "transparent"]));
    let strict = strict.then(|| quote!(, deny_unknown_fields));
    Ok(quote! {
        #[derive(::sluicebox_plugin::serde::Deserialize, ::sluicebox_plugin::schemars::JsonSchema)]
        #[serde(crate = "::sluicebox_plugin::serde" #strict)]
        #[schemars(crate = "::sluicebox_plugin::schemars")]
        #item
    })
}

/// Serde cannot refuse unknown keys where a field takes in what is left over.
fn closed(fields: &syn::FieldsNamed) -> bool {
    !fields.named.iter().flat_map(|field| &field.attrs).any(|attribute| says(attribute, &["flatten"]))
}

fn says(attribute: &Attribute, words: &[&str]) -> bool {
    let text = attribute.meta.to_token_stream().to_string();
    attribute.path().is_ident("serde") && words.iter().any(|word| text.contains(word))
}
