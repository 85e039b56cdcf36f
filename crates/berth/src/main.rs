//! berth, a container engine in one binary.
#![forbid(unsafe_code)]
fn main() {}
