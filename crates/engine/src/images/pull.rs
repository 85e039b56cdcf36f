//! Pulls an image from a registry.
//!
//! Documents come first, then the layers, several at a time and in any order: each is downloaded, hashed, inflated and extracted at once. What is there
//! already is not fetched again, what another process fetches is waited for, and what an interruption has left is completed. The reference is set last,
//! when everything that it leads to is there; until then a lease keeps it.

mod documents;
mod download;
mod growing;
mod layers;
mod local;

use base::{Result, crash_point};
use oci::manifest::Descriptor;
use oci::platform::Platform;
use oci::reference::Reference;
use registry::{Repository, Selector, ServedManifest};

use self::documents::Documents;
use self::layers::Layers;
use self::local::Local;
use super::parallel::Stop;
use crate::caller::Operation;
use crate::{Caller, Engine, Progress, Stage, Update};

pub(crate) use download::Reporter;

/// What to present to a registry that asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name; empty: anonymous.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Instead of both: a token that is exchanged for another.
    pub identity_token: String,
    /// Instead of all: a bearer token.
    pub registry_token: String,
}

// Secrets do not reach logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Credentials({:?}, …)", self.username)
    }
}

/// What to pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// Of which image.
    pub reference: Reference,
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Instead of the host's.
    pub platform: Option<Platform>,
    /// Of the client; `None`: anonymous.
    pub credentials: Option<Credentials>,
}

impl Engine {
    /// Pulls an image, or every tag of a repository, and sets the references to what was pulled.
    ///
    /// # Errors
    /// `NotFound`, `Unauthenticated`, `Denied`, `Unavailable`; `Corrupt` for content that contradicts itself; `Exhausted` for a full disk.
    pub fn pull_image(&self, caller: &Caller, request: &PullRequest, progress: &dyn Progress) -> Result<()> {
        let reference = &request.reference;
        caller.permit(Operation::Change, &format!("pull {}", reference.familiar()))?;
        let waiting = |wait: &registry::Wait<'_>| {
            if wait.seconds > 0 {
                progress.report(&Update { subject: None, stage: Stage::Retrying { seconds: wait.seconds } });
            }
            !progress.is_cancelled()
        };
        let repository = self.repository(reference, request.credentials.as_ref())?.watched(&waiting);
        let pull = Pull { engine: self, request, repository: &repository, progress };
        if !request.all_tags {
            return pull.one(reference);
        }
        for tag in repository.tags().map_err(|error| documents::explain(error, reference))? {
            pull.one(&reference.with_tag(&tag)?)?;
        }
        Ok(())
    }
}

/// One pull.
struct Pull<'a> {
    engine: &'a Engine,
    request: &'a PullRequest,
    repository: &'a Repository<'a>,
    progress: &'a dyn Progress,
}

impl Pull<'_> {
    /// Pulls what one reference names.
    fn one(&self, reference: &Reference) -> Result<()> {
        let stop = Stop::new(self.progress);
        stop.check()?;
        let subject =
            reference.digest().map_or_else(|| reference.tag().map(str::to_owned), |_| Some(reference.to_string()));
        self.progress.report(&Update { subject, stage: Stage::PullingFrom(reference.repository().to_owned()) });
        let store = image::Store::open(self.engine.root.directory())?;
        let lease = store.lease()?;
        let root = &self.engine.root;
        let extracted = snapshot::Layers::open(root.directory(), root.layout.root())?;
        let local = Local { store: &store, lease: &lease, layers: &extracted };
        let documents = self.documents(reference, &local).map_err(|error| documents::explain(error, reference))?;
        let layers = Layers {
            repository: self.repository,
            local: &local,
            stop: &stop,
            progress: self.progress,
            limit: self.engine.configuration().max_concurrent_downloads.unwrap_or(3).clamp(1, 16) as usize,
        };
        let wanted = documents.layers();
        local.protect(&wanted)?;
        layers.fetch(&wanted)?;
        crash_point!("pull.before-name");
        let changed = local.set_names(reference, &documents)?;
        let attributes = [("name".to_owned(), reference.familiar_name())].into();
        self.engine.record_event("image", "pull", &reference.familiar(), attributes);
        self.report(None, Stage::Digest(documents.named().digest.to_string()));
        let name = reference.familiar();
        self.report(None, if changed { Stage::Downloaded(name) } else { Stage::UpToDate(name) });
        Ok(())
    }

    /// The documents of what a reference names, all of them stored when this returns.
    fn documents(&self, reference: &Reference, local: &Local<'_>) -> Result<Documents> {
        let wanted = self.request.platform.as_ref();
        let which = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => Selector::Digest(digest.clone()),
            (None, Some(tag)) => Selector::Tag(tag.to_owned()),
            (None, None) => Selector::Tag("latest".to_owned()),
        };
        let get = |which: &Selector, known: Option<&Descriptor>| self.document(local, reference, which, known);
        let found = documents::find(&which, wanted, &get)?;
        for served in &found.0 {
            local.put_document(&served.digest, &served.bytes)?;
            crash_point!("pull.after-document");
        }
        let config = &found.1.config;
        let bytes = match local.read_document(&config.digest)? {
            Some(bytes) => bytes,
            None => documents::fetch_config(self.repository, &found.1)?,
        };
        let documents = documents::complete(found, bytes, wanted)?;
        local.put_document(&documents.manifest.config.digest, &documents.config_bytes)?;
        Ok(documents)
    }

    /// One document: from the store where it is there, else from the registry.
    fn document(
        &self,
        local: &Local<'_>,
        reference: &Reference,
        which: &Selector,
        known: Option<&Descriptor>,
    ) -> Result<ServedManifest> {
        let known = match (known, which) {
            (Some(known), _) => Some(known.clone()),
            // Looking up counts less than getting where registries count pulls, and is worth it where the answer may be here.
            (None, Selector::Tag(_)) if local.has_name(reference)? => self.repository.look_up(which)?,
            (None, _) => None,
        };
        if let Some(known) = known
            && let Some(bytes) = local.read_document(&known.digest)?
        {
            return Ok(ServedManifest { media_type: known.media_type, digest: known.digest, bytes });
        }
        self.repository.manifest(which)
    }

    fn report(&self, subject: Option<String>, stage: Stage) {
        self.progress.report(&Update { subject, stage });
    }
}
