//! Real guests, most of them bad: each test is named after the row of the conformance list that it proves.

mod faults;
