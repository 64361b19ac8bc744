//! Real guests, most of them bad: a test that proves a row of the conformance list is named after it.

mod answers;
mod faults;
mod imports;
mod load;
mod restarts;
mod start;
