//! Trace and span ids.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Whether it names nothing: all bytes are zero.
            pub fn is_zero(self) -> bool {
                self.0 == [0; $bytes]
            }
        }

        impl fmt::Display for $name {
            /// As hexadecimal digits, lower case.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// A trace id: 16 bytes.
    TraceId,
    16
);
id!(
    /// A span id: 8 bytes.
    SpanId,
    8
);
