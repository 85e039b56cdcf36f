//! Volumes: directories that outlive containers. One verb per file.
//!
//! A volume is `volumes/<name>/`, with `volume.json` and its files in `_data`; it is made whole or not at all, by rename. Whoever makes or uses one holds the
//! folder's lock shared until that shows in a container's record; whoever removes one holds it exclusively.

mod create;
mod inspect;
mod list;
mod prune;
mod record;
mod remove;

pub use create::VolumeRequest;
pub(crate) use create::check_driver;
pub use prune::PrunedVolumes;
pub(crate) use record::DATA;
pub use record::VolumeRecord;
pub use remove::RemoveVolumeRequest;
