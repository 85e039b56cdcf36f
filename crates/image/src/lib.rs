//! The content store: blobs, names, leases, reachability and collection.
//!
//! It lives in a state root as an OCI image layout (image-layout.md): `blobs/<algorithm>/<hex>` are immutable and were verified before they were linked in;
//! `images/` holds one record for each name, the truth, from which `index.json` is written for foreign tools; `downloads/` what an interrupted
//! download left; `leases/` what unfinished operations need. It knows nothing of extracted layers and of containers: who collects says what those use.
#![forbid(unsafe_code)]

mod blob;
mod collect;
mod lease;
mod record;
mod store;

pub use blob::{Ingest, Partial, Writer};
pub use collect::{Collected, InUse};
pub use lease::Lease;
pub use record::{Image, Name, Target};
pub use store::{Exclusive, ROOT_NAMES, Shared, Store};
