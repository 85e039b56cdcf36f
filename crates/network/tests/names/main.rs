//! The resolver of a container, with real sockets in two network namespaces of its own: the container's and the host's.
//!
//! Every resolver here runs under a filter that kills the process on a system call which is not in its list.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_debug_implementations, missing_docs)]

mod connections;
mod containers;
mod filter;
mod limits;
mod message;
mod outside;
mod place;
mod remembered;
mod server;

/// The allocator of the whole program, whose system calls are in the list.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
