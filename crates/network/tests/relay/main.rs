//! The relay to `::1`, with real sockets in a network namespace of its own for each test, in which the container has an address of the loopback device.
//!
//! Every relay here runs under a filter that kills the process on a system call which is not in its list.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_debug_implementations, missing_docs)]

mod connections;
mod datagrams;
#[path = "../names/filter.rs"]
mod filter;
mod host;
mod ports;

/// The allocator of the whole program, whose system calls are in the list.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
