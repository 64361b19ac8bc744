//! The bindings of `wit/`: the only place where the plugin interface's own types are made.
//!
//! A plugin exports two interfaces, `lifecycle` and that of its kind. Each is generated from a small
//! world of its own, because only the worlds whose export macro a plugin calls end up in its `.wasm`:
//! the sections that describe them are joined when the host makes a component of it.

// Reason: what crosses the boundary is raw memory; the code here is generated and nowhere else unsafe.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all)]

/// The interfaces that a plugin may import, and the types that all share.
pub mod imports {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicebox:sdk-imports;
            world sdk-imports {
                import sluicebox:plugin/types@0.1.0;
                import sluicebox:plugin/log@0.1.0;
                import sluicebox:plugin/metrics@0.1.0;
                import sluicebox:plugin/state@0.1.0;
                import sluicebox:plugin/clock@0.1.0;
                import sluicebox:plugin/random@0.1.0;
            }
        ",
        runtime_path: "::sluicebox_plugin::wit_bindgen::rt",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
    });
}

pub use imports::sluicebox::plugin::{clock, log, metrics, random, state, types};

macro_rules! exported {
    ($module:ident, $macro:literal, $bindings:literal, $wit:literal) => {
        #[doc(hidden)]
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                inline: $wit,
                runtime_path: "::sluicebox_plugin::wit_bindgen::rt",
                generate_all,
                with: { "sluicebox:plugin/types@0.1.0": crate::bindings::types },
                pub_export_macro: true,
                export_macro_name: $macro,
                default_bindings_module: $bindings,
            });
        }
    };
}

exported!(
    lifecycle,
    "export_lifecycle",
    "::sluicebox_plugin::bindings::lifecycle",
    "package sluicebox:sdk-lifecycle; world sdk-lifecycle { export sluicebox:plugin/lifecycle@0.1.0; }"
);
exported!(
    filter,
    "export_filter",
    "::sluicebox_plugin::bindings::filter",
    "package sluicebox:sdk-filter; world sdk-filter { export sluicebox:plugin/filter@0.1.0; }"
);
exported!(
    sampler,
    "export_sampler",
    "::sluicebox_plugin::bindings::sampler",
    "package sluicebox:sdk-sampler; world sdk-sampler { export sluicebox:plugin/sampler@0.1.0; }"
);
exported!(
    transform,
    "export_transform",
    "::sluicebox_plugin::bindings::transform",
    "package sluicebox:sdk-transform; world sdk-transform { export sluicebox:plugin/transform@0.1.0; }"
);
