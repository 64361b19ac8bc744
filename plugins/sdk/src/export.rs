//! The macros that make a plugin's crate a plugin.

/// Exports a [`Filter`](crate::Filter): `export_filter!(DropRoutes);`, once, at the top of the crate.
#[macro_export]
macro_rules! export_filter {
    ($plugin:ty) => {
        $crate::export_batch_filter!($crate::EachFilter<$plugin>);
    };
}

/// Exports a [`Sampler`](crate::Sampler).
#[macro_export]
macro_rules! export_sampler {
    ($plugin:ty) => {
        $crate::export_batch_sampler!($crate::EachSampler<$plugin>);
    };
}

/// Exports a [`Transform`](crate::Transform).
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        $crate::export_batch_transform!($crate::EachTransform<$plugin>);
    };
}

/// Exports a [`BatchFilter`](crate::BatchFilter).
#[macro_export]
macro_rules! export_batch_filter {
    ($plugin:ty) => {
        $crate::__export!($plugin, BatchFilter, configure_filter, {
            impl $crate::bindings::filter::exports::sluicebox::plugin::filter::Guest for Exported {
                fn filter(
                    batch: $crate::bindings::types::Batch,
                ) -> ::core::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                    GUEST.with(|guest| guest.filter(batch)).map_err(|error| error.to_string())
                }
            }
            $crate::bindings::filter::export_filter!(Exported);
        });
    };
}

/// Exports a [`BatchSampler`](crate::BatchSampler).
#[macro_export]
macro_rules! export_batch_sampler {
    ($plugin:ty) => {
        $crate::__export!($plugin, BatchSampler, configure_sampler, {
            impl $crate::bindings::sampler::exports::sluicebox::plugin::sampler::Guest for Exported {
                fn sample(
                    batch: $crate::bindings::types::Batch,
                ) -> ::core::result::Result<$crate::bindings::types::Decisions, ::std::string::String> {
                    GUEST.with(|guest| guest.sample(batch)).map_err(|error| error.to_string())
                }
            }
            $crate::bindings::sampler::export_sampler!(Exported);
        });
    };
}

/// Exports a [`BatchTransform`](crate::BatchTransform).
#[macro_export]
macro_rules! export_batch_transform {
    ($plugin:ty) => {
        $crate::__export!($plugin, BatchTransform, configure_transform, {
            impl $crate::bindings::transform::exports::sluicebox::plugin::transform::Guest for Exported {
                fn transform(
                    batch: $crate::bindings::types::Batch,
                ) -> ::core::result::Result<::std::vec::Vec<$crate::bindings::types::Edit>, ::std::string::String>
                {
                    GUEST.with(|guest| guest.transform(batch)).map_err(|error| error.to_string())
                }
            }
            $crate::bindings::transform::export_transform!(Exported);
        });
    };
}

/// What all kinds share: the instance, `lifecycle`, and that all of it exists in WebAssembly only, so that several
/// plugins link natively into one test.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $kind:ident, $configure:ident, { $($answers:tt)* }) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        const _: () = {
            struct Exported;

            ::std::thread_local! {
                static GUEST: $crate::guest::Guest<$plugin> = const { $crate::guest::Guest::new() };
            }

            impl $crate::bindings::lifecycle::exports::sluicebox::plugin::lifecycle::Guest for Exported {
                fn describe() -> $crate::bindings::types::Description {
                    $crate::guest::describe::<<$plugin as $crate::$kind>::Config>($crate::guest::About {
                        package: ::core::env!("CARGO_PKG_NAME"),
                        version: ::core::env!("CARGO_PKG_VERSION"),
                        description: ::core::env!("CARGO_PKG_DESCRIPTION"),
                    })
                }

                fn configure(
                    config: ::std::string::String,
                    signal: $crate::Signal,
                ) -> ::core::result::Result<$crate::bindings::types::Plan, ::std::string::String> {
                    GUEST.with(|guest| guest.$configure(&config, signal)).map_err(|error| error.to_string())
                }
            }
            $crate::bindings::lifecycle::export_lifecycle!(Exported);
            $($answers)*
        };
    };
}
