//! Images: one verb per file.

mod changes;
mod collect;
mod history;
mod import;
mod inspect;
mod list;
mod parallel;
mod prune;
mod pull;
mod push;
mod registries;
mod remove;
mod resolve;
mod tag;

pub use history::HistoryEntry;
pub use import::{ImportRequest, Imported};
pub use inspect::ImageDetails;
pub use list::{ImageListRequest, ImageSummary};
pub use prune::PrunedImages;
pub use pull::{Credentials, PullRequest};
pub use push::PushRequest;
pub use remove::{RemoveImageRequest, RemovedImage};

pub(crate) use resolve::ResolvedImage;
