//! From what a user asked for (`-v`, `--mount`, `--tmpfs`, `--volumes-from`, the image) to what is mounted.
//!
//! Create decides: it checks notation, makes volumes and fills empty ones from the image. Each start turns the decision into the runtime's mounts. Nothing is mounted here;
//! targets are resolved by the runtime, inside the container's root.

mod bind;
mod copy_up;
mod plan;
mod planned;
mod propagation;
mod request;
mod start;
mod tmpfs;

pub(crate) use planned::Planned;
