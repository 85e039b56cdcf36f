//! Container logs: write, rotate, read, follow.
//!
//! One entry is one line of JSON, as Docker's `json-file` driver writes it, so that what reads Docker's logs reads these. Logs rotate by
//! default. Readers take no lock and never disturb the writer, which may rotate under them at any moment.
#![forbid(unsafe_code)]

mod entry;
mod options;
mod reader;
mod segments;
mod tail;
mod writer;

pub use entry::{Entry, Stream};
pub use options::{Driver, Options};
pub use reader::{ReadRequest, Reader};
pub use writer::Writer;
