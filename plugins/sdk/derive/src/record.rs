//! `#[derive(Record)]`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericParam, Lifetime, LitStr, Result};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "#[derive(Record)] is for a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&data.fields, "name the fields: struct Request<'a> { … }"));
    };
    let lifetime = lifetime(input)?;
    let scope = lifetime.clone().unwrap_or_else(|| Lifetime::new("'a", input.span()));
    let paths = fields.named.iter().map(path).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = fields.named.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.named.iter().map(|field| &field.ty).collect();
    let checks = types.iter().zip(&paths).map(|(ty, path)| check(&quote!(#ty), path, &scope));
    let positions: Vec<_> = (0..types.len()).collect();
    let indexes: Vec<_> = positions.iter().map(|&position| syn::Index::from(position)).collect();
    let name = &input.ident;
    let of = lifetime.map(|lifetime| quote!(<#lifetime>));
    Ok(quote! {
        #(#checks)*

        impl<#scope> ::sluicebox_plugin::Record<#scope> for #name #of {
            type Columns = (#(<#types as ::sluicebox_plugin::record::RecordField<#scope>>::Column,)*);

            const WRITES: bool = false #(|| <#types as ::sluicebox_plugin::record::RecordField<#scope>>::WRITES)*;

            fn declare(
                setup: &mut ::sluicebox_plugin::Setup,
            ) -> ::core::result::Result<::std::vec::Vec<::sluicebox_plugin::record::Slot>, ::sluicebox_plugin::Error> {
                ::core::result::Result::Ok(::std::vec![
                    #(<#types as ::sluicebox_plugin::record::RecordField<#scope>>::declare(#paths, setup)?),*
                ])
            }

            fn bind(
                frame: ::sluicebox_plugin::record::Frame<#scope>,
                slots: &[::sluicebox_plugin::record::Slot],
            ) -> Self::Columns {
                (#(<#types as ::sluicebox_plugin::record::RecordField<#scope>>::bind(
                    frame,
                    ::sluicebox_plugin::record::Slot::at(slots, #positions),
                ),)*)
            }

            #[inline]
            fn read(columns: &Self::Columns, row: usize) -> Self {
                #name {
                    #(#names: <#types as ::sluicebox_plugin::record::RecordField<#scope>>::read(&columns.#indexes, row)),*
                }
            }
        }
    })
}

/// The one lifetime that a record may have: that of the batch.
fn lifetime(input: &DeriveInput) -> Result<Option<Lifetime>> {
    let mut parameters = input.generics.params.iter();
    match (parameters.next(), parameters.next()) {
        (None, _) => Ok(None),
        (Some(GenericParam::Lifetime(only)), None) => Ok(Some(only.lifetime.clone())),
        (Some(other), _) => Err(Error::new_spanned(other, "a record has one lifetime, that of the batch, or none")),
    }
}

/// The path of a field, from its attribute.
fn path(field: &Field) -> Result<LitStr> {
    let mut attributes = field.attrs.iter().filter(|attribute| attribute.path().is_ident("field"));
    let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
        return Err(Error::new_spanned(field, "say once which field it is: #[field(\"span.name\")]"));
    };
    attribute.parse_args::<LitStr>()
}

/// What the types must agree on with their paths, checked where the struct stands: outside of it, so with `'static`
/// in place of its lifetime.
fn check(ty: &TokenStream, path: &LitStr, scope: &Lifetime) -> TokenStream {
    let ty = with_static(ty.clone(), &scope.ident);
    let field = quote!(<#ty as ::sluicebox_plugin::record::RecordField<'static>>);
    quote_spanned! {path.span()=>
        const _: () = {
            assert!(
                #field::MANY == ::sluicebox_plugin::Level::of(#path).is_many(),
                "fields of span events and links, and only those, are an Each<'a, T>",
            );
            assert!(
                #field::ALL_ATTRIBUTES == ::sluicebox_plugin::record::is_all_attributes(#path),
                "fields that end in attributes[*], and only those, are Attributes<'a> or EditAttributes<'a>",
            );
        };
    }
}

/// A type with `'static` in place of one lifetime.
fn with_static(ty: TokenStream, lifetime: &Ident) -> TokenStream {
    let mut quoted = false;
    let replaced = ty.into_iter().map(|token| {
        let behind_quote = std::mem::replace(&mut quoted, matches!(&token, TokenTree::Punct(p) if p.as_char() == '\''));
        match token {
            TokenTree::Ident(ident) if behind_quote && ident == *lifetime => Ident::new("static", ident.span()).into(),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_static(group.stream(), lifetime));
                inner.set_span(group.span());
                inner.into()
            }
            other => other,
        }
    });
    replaced.collect()
}
