//! Pushes an image to a registry.
//!
//! Every blob first, several at a time, each only where the registry lacks it; then the manifests from the innermost to the one that the tag names.
//! A registry thus never has a manifest whose parts are missing, whenever a push ends.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;

use base::digest::Digest;
use base::{Error, Kind, Result, crash_point};
use image::Store;
use oci::config::{CONFIG_LIMIT_BYTES, ImageConfig};
use oci::manifest::{DOCUMENT_LIMIT_BYTES, Descriptor, Document, Index};
use oci::platform::Platform;
use oci::reference::Reference;
use registry::{BlobSource, Repository, Selector, Uploaded};

use super::parallel::{Stop, in_parallel};
use super::pull::{Credentials, Reporter};
use crate::caller::Operation;
use crate::{Caller, Engine, Progress, Stage, Update};

/// So many images are searched for blobs that a registry may take over from another repository of its own.
const MOUNT_SEARCH_LIMIT: usize = 64;

/// What to push.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// Which image, and where to.
    pub reference: Reference,
    /// Every local tag of the repository.
    pub all_tags: bool,
    /// Only this platform of an index.
    pub platform: Option<Platform>,
    /// Of the client; `None`: anonymous.
    pub credentials: Option<Credentials>,
}

/// One document that is pushed.
#[derive(Debug, Clone)]
struct Pushed {
    media_type: String,
    digest: Digest,
    bytes: Vec<u8>,
}

/// A blob that is pushed, and how its line begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    blob: Descriptor,
    /// Layers have lines, configurations have none.
    shown: Option<Digest>,
}

/// What one tag leads to.
#[derive(Debug, Default)]
struct Plan {
    parts: Vec<Part>,
    /// Innermost first; the last one gets the tag.
    documents: Vec<Pushed>,
}

impl Engine {
    /// Pushes an image.
    ///
    /// # Errors
    /// `NotFound` without such an image, `Unauthenticated`, `Denied`, `Unavailable`.
    pub fn push_image(&self, caller: &Caller, request: &PushRequest, progress: &dyn Progress) -> Result<()> {
        let reference = &request.reference;
        caller.permit(Operation::Change, &format!("push {}", reference.familiar()))?;
        if reference.digest().is_some() {
            return Err(Error::invalid("cannot push a digest reference: push a tag"));
        }
        progress.report(&Update { subject: None, stage: Stage::PushingTo(reference.name()) });
        let store = Store::open(self.root.directory())?;
        let tags = Self::tags_to_push(&store, request)?;
        let waiting = |wait: &registry::Wait<'_>| {
            if wait.seconds > 0 {
                progress.report(&Update { subject: None, stage: Stage::Retrying { seconds: wait.seconds } });
            }
            !progress.is_cancelled()
        };
        let repository = self.repository(reference, request.credentials.as_ref())?.watched(&waiting);
        let push = Push {
            engine: self,
            request,
            store: &store,
            repository: &repository,
            progress,
            stop: Stop::new(progress),
            limit: self.configuration().max_concurrent_uploads.unwrap_or(5).clamp(1, 16) as usize,
        };
        for tag in tags {
            push.one(&tag).map_err(|error| explain(error, &tag))?;
        }
        Ok(())
    }

    fn tags_to_push(store: &Store, request: &PushRequest) -> Result<Vec<Reference>> {
        let reference = &request.reference;
        if !request.all_tags {
            return Ok(vec![reference.clone()]);
        }
        let mut tags = references(store)?;
        tags.retain(|other| other.name() == reference.name() && other.tag().is_some() && other.digest().is_none());
        if tags.is_empty() {
            return Err(absent(reference));
        }
        Ok(tags)
    }
}

/// What a refusal means to whoever typed the reference.
fn explain(error: Error, reference: &Reference) -> Error {
    match error.kind() {
        Kind::Denied | Kind::Unauthenticated => error.context(format!(
            "push access denied for {}, repository does not exist or may require 'docker login'",
            reference.familiar_name()
        )),
        _ => error,
    }
}

/// One push.
struct Push<'a> {
    engine: &'a Engine,
    request: &'a PushRequest,
    store: &'a Store,
    repository: &'a Repository<'a>,
    progress: &'a dyn Progress,
    stop: Stop<'a>,
    limit: usize,
}

impl Push<'_> {
    /// Pushes what one local tag names.
    fn one(&self, reference: &Reference) -> Result<()> {
        let plan = self.plan(reference)?;
        let lease = self.store.lease()?;
        let parts = plan.parts.iter().map(|part| part.blob.digest.clone());
        lease
            .protect(&parts.chain(plan.documents.iter().map(|document| document.digest.clone())).collect::<Vec<_>>())?;
        for part in &plan.parts {
            self.report(part, Stage::Preparing);
        }
        let mounts = self.mounts(reference)?;
        in_parallel(&plan.parts, self.limit, &self.stop, |part| self.part(part, &mounts))?;
        let tag = reference.tag().unwrap_or("latest");
        let Some((last, inner)) = plan.documents.split_last() else { return Err(absent(reference)) };
        for document in inner {
            let selector = Selector::Digest(document.digest.clone());
            self.repository.put_manifest(&selector, &document.media_type, &document.bytes)?;
            crash_point!("push.after-inner-manifest");
        }
        crash_point!("push.before-manifest");
        self.repository.put_manifest(&Selector::Tag(tag.to_owned()), &last.media_type, &last.bytes)?;
        crash_point!("push.before-name");
        self.remember(reference, &last.digest)?;
        crash_point!("push.after-name");
        let attributes = [("name".to_owned(), reference.familiar_name())].into();
        self.engine.record_event("image", "push", &reference.familiar(), attributes);
        let stage = Stage::PushedManifest {
            tag: tag.to_owned(),
            digest: last.digest.to_string(),
            size: last.bytes.len() as u64,
        };
        self.progress.report(&Update { subject: None, stage });
        Ok(())
    }

    /// Brings one blob to the registry, unless it is there.
    fn part(&self, part: &Part, mounts: &BTreeMap<Digest, String>) -> Result<()> {
        let blob = &part.blob;
        if self.repository.has_blob(&blob.digest)? {
            self.report(part, Stage::LayerExists);
            return Ok(());
        }
        let from = mounts.get(&blob.digest);
        let reporter = part.shown.as_ref().map(|shown| Mutex::new(Reporter::new(self.progress, shown)));
        let passed = |count: u64| {
            if let Some(reporter) = &reporter {
                let mut reporter = reporter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                reporter.advance(|| Stage::Pushing { current: count, total: Some(blob.size) });
            }
            self.stop.check()
        };
        let open = || Ok(Box::new(self.store.open_blob(&blob.digest)?) as Box<dyn Read>);
        crash_point!("push.before-blob");
        let how =
            self.repository.put_blob(blob, from.map(String::as_str), BlobSource { open: &open, passed: &passed })?;
        crash_point!("push.after-blob");
        self.report(
            part,
            match (how, from) {
                (Uploaded::Mounted, Some(from)) => Stage::MountedFrom(from.clone()),
                _ => Stage::Pushed,
            },
        );
        Ok(())
    }

    fn report(&self, part: &Part, stage: Stage) {
        if let Some(shown) = &part.shown {
            Reporter::new(self.progress, shown).report(stage);
        }
    }

    /// What a tag leads to: an index with all its images where all are here, else the image of the wanted platform.
    fn plan(&self, reference: &Reference) -> Result<Plan> {
        let target = self.store.named(reference)?.ok_or_else(|| absent(reference))?;
        let Some(outermost) = target.indexes.first() else { return self.image_alone(&target.manifest) };
        let root = self.document(outermost)?;
        let Document::Index(index) = oci::manifest::parse(&root.media_type, &root.bytes)? else {
            return Err(Error::corrupt(format!(
                "{} leads through {}, which is no index",
                reference.familiar(),
                root.digest
            )));
        };
        match &self.request.platform {
            Some(wanted) => self.image_alone(index.select(wanted)?),
            None if self.is_whole(&index)? => {
                let mut plan = Plan::default();
                for entry in &index.manifests {
                    self.add_image(&mut plan, entry)?;
                }
                plan.documents.push(root);
                Ok(plan)
            }
            None => self.image_alone(&target.manifest),
        }
    }

    fn image_alone(&self, manifest: &Descriptor) -> Result<Plan> {
        let mut plan = Plan::default();
        self.add_image(&mut plan, manifest)?;
        Ok(plan)
    }

    /// Whether every image of an index is here with all its parts.
    fn is_whole(&self, index: &Index) -> Result<bool> {
        for entry in &index.manifests {
            if self.store.blob_size(&entry.digest)?.is_none() {
                return Ok(false);
            }
            let document = self.document(entry)?;
            let Ok(Document::Manifest(manifest)) = oci::manifest::parse(&entry.media_type, &document.bytes) else {
                return Ok(false);
            };
            for blob in manifest.layers.iter().chain([&manifest.config]) {
                if self.store.blob_size(&blob.digest)?.is_none() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Adds an image's parts and its manifest.
    fn add_image(&self, plan: &mut Plan, descriptor: &Descriptor) -> Result<()> {
        let document = self.document(descriptor)?;
        let Document::Manifest(manifest) = oci::manifest::parse(&descriptor.media_type, &document.bytes)? else {
            return Err(Error::unsupported("an index of indexes cannot be pushed: push one platform of it"));
        };
        let config = self.store.read_blob(&manifest.config.digest, CONFIG_LIMIT_BYTES)?;
        let contents = ImageConfig::parse(&config)?.rootfs.diff_ids;
        let layers = manifest.layers.iter().enumerate().map(|(at, blob)| {
            // A line begins with the layer's digest before compression, as Docker's do.
            Part { blob: blob.clone(), shown: Some(contents.get(at).unwrap_or(&blob.digest).clone()) }
        });
        for part in layers.chain([Part { blob: manifest.config.clone(), shown: None }]) {
            if !plan.parts.iter().any(|other| other.blob.digest == part.blob.digest) {
                plan.parts.push(part);
            }
        }
        plan.documents.push(document);
        Ok(())
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Pushed> {
        let bytes = self.store.read_blob(&descriptor.digest, DOCUMENT_LIMIT_BYTES)?;
        Ok(Pushed { media_type: descriptor.media_type.clone(), digest: descriptor.digest.clone(), bytes })
    }

    /// Other repositories of the same registry that have blobs which are here, by blob.
    fn mounts(&self, reference: &Reference) -> Result<BTreeMap<Digest, String>> {
        let mut mounts = BTreeMap::new();
        let others = references(self.store)?;
        let others = others
            .iter()
            .filter(|other| other.registry() == reference.registry() && other.repository() != reference.repository());
        for other in others.take(MOUNT_SEARCH_LIMIT) {
            let Some(target) = self.store.named(other)? else { continue };
            let document = self.document(&target.manifest)?;
            if let Ok(Document::Manifest(manifest)) = oci::manifest::parse(&document.media_type, &document.bytes) {
                for blob in manifest.layers {
                    mounts.entry(blob.digest).or_insert_with(|| other.repository().to_owned());
                }
            }
        }
        Ok(mounts)
    }

    /// Records under which digest the registry knows the image from now on.
    fn remember(&self, reference: &Reference, digest: &Digest) -> Result<()> {
        let store = self.store.exclusive()?;
        if let Some(target) = self.store.named(reference)?
            && target.leads_through(digest)
        {
            store.set_name(&reference.with_digest(digest.clone()), &target)?;
        }
        Ok(())
    }
}

/// All names of all images.
fn references(store: &Store) -> Result<Vec<Reference>> {
    Ok(store.list()?.into_iter().flat_map(|image| image.names).map(|name| name.reference).collect())
}

fn absent(reference: &Reference) -> Error {
    Error::not_found(format!("An image does not exist locally with the tag: {}", reference.familiar_name()))
}
