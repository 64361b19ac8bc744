//! `#[derive(Reason)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(input, "#[derive(Reason)] is for an enum, one variant a reason"));
    };
    if data.variants.is_empty() || data.variants.len() > 256 {
        return Err(Error::new_spanned(input, "a sampler has 1 to 256 reasons"));
    }
    if let Some(variant) = data.variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
        return Err(Error::new_spanned(variant, "a reason carries no data"));
    }
    let name = &input.ident;
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = variants.iter().map(|variant| snake_case(&variant.to_string()));
    let positions = 0..=u8::MAX;
    let arms = variants.iter().zip(positions).map(|(variant, position)| quote!(#name::#variant => #position));
    Ok(quote! {
        impl ::sluicebox_plugin::Reason for #name {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            fn position(self) -> u8 {
                match self { #(#arms),* }
            }
        }
    })
}

/// `SlowService` as `slow_service`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
