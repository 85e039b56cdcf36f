//! OCI image and distribution types, image references and platforms; no I/O.
//!
//! Documents from elsewhere are parsed bounded and never written again: their digest is that of the bytes that came.
#![forbid(unsafe_code)]

pub mod config;
pub mod manifest;
pub mod media_type;
pub mod platform;
pub mod reference;
