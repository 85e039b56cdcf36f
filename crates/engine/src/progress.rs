//! How a long operation tells what it does.

/// Receives what an operation reports; called from several threads at once.
pub trait Progress: Send + Sync {
    /// One step of one subject. Calls are frequent: an implementation drops what it cannot show.
    fn report(&self, update: &Update);

    /// Whether the client is gone or has asked to stop; asked between steps.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A [`Progress`] that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _update: &Update) {}
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The short digest of a layer, a tag, or nothing for the operation as a whole.
    pub subject: Option<String>,
    /// What happens to it.
    pub stage: Stage,
}

/// What happens to a subject. Bytes are those transferred or extracted so far, and all of them where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A pull begins; of which repository.
    PullingFrom(String),
    /// The layer is wanted.
    PullingLayer,
    /// The layer is in turn.
    Waiting,
    /// Bytes come in.
    Downloading {
        /// So far.
        current: u64,
        /// In all.
        total: Option<u64>,
    },
    /// All bytes are there and are compared with their digest.
    Verifying,
    /// All bytes are there and right.
    DownloadComplete,
    /// Files are written.
    Extracting {
        /// So far.
        current: u64,
        /// In all.
        total: Option<u64>,
    },
    /// The layer is there.
    PullComplete,
    /// The layer was there before.
    AlreadyExists,
    /// The transfer failed and begins again after so many seconds.
    Retrying {
        /// The wait.
        seconds: u64,
    },
    /// The digest of what was pulled.
    Digest(String),
    /// A newer image was pulled for this reference.
    Downloaded(String),
    /// The image of this reference was already the newest.
    UpToDate(String),
    /// A push begins; to which repository.
    PushingTo(String),
    /// The layer is in turn for a push.
    Preparing,
    /// Bytes go out.
    Pushing {
        /// So far.
        current: u64,
        /// In all.
        total: Option<u64>,
    },
    /// The layer is at the registry.
    Pushed,
    /// The layer was at the registry before.
    LayerExists,
    /// The registry took the layer over from another repository of its own.
    MountedFrom(String),
    /// A manifest is at the registry.
    PushedManifest {
        /// Under this tag.
        tag: String,
        /// With this digest.
        digest: String,
        /// And this size in bytes.
        size: u64,
    },
    /// Anything else, in words.
    Message(String),
}
