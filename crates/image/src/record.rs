//! Names of images and what they mean.

use crate::Store;
use crate::store::{Exclusive, INDEX, OCI_LAYOUT, names_in};
use base::digest::Digest;
use base::file::{self, Durability};
use base::id::Id;
use base::time::Timestamp;
use base::{Error, Result, crash_point};
use oci::manifest::{Descriptor, Index};
use oci::media_type;
use oci::reference::Reference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The digest of the image's configuration: the image's id.
    pub config: Digest,
    /// The image's manifest.
    pub manifest: Descriptor,
    /// The indexes by which the name led to the manifest, the outermost first.
    #[serde(default)]
    pub indexes: Vec<Descriptor>,
}

/// One name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// By tag, or by the digest that a registry knows it under.
    pub reference: Reference,
    /// When it was set here.
    pub set: Timestamp,
}

/// One image with all of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration.
    pub id: Digest,
    /// What one of its names means. Several manifests may have one configuration.
    pub target: Target,
    /// None: it dangles.
    pub names: Vec<Name>,
}

/// A file of `images/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `None` for an image that has lost its last name and was not removed.
    reference: Option<Reference>,
    #[serde(flatten)]
    pub(crate) target: Target,
    set: Timestamp,
}

impl Store {
    /// Everything that the store has, by id.
    ///
    /// # Errors
    /// [`Corrupt`](base::Kind::Corrupt) for a damaged record.
    pub fn list(&self) -> Result<Vec<Image>> {
        let mut images: BTreeMap<Digest, Image> = BTreeMap::new();
        for Record { reference, target, set } in self.records()? {
            let id = target.config.clone();
            let image = images.entry(id.clone()).or_insert(Image { id, target, names: Vec::new() });
            image.names.extend(reference.map(|reference| Name { reference, set }));
        }
        let mut images: Vec<Image> = images.into_values().collect();
        for image in &mut images {
            image.names.sort_by(|one, other| one.reference.cmp(&other.reference));
        }
        Ok(images)
    }

    /// What a name, an id, a digest or the beginning of an id means, in this order of cost.
    ///
    /// # Errors
    /// [`NotFound`](base::Kind::NotFound) in Docker's words, [`Invalid`](base::Kind::Invalid) for an ambiguous beginning.
    pub fn resolve(&self, text: &str) -> Result<Target> {
        if let Some(id) = full_digest(text) {
            let matching = |record: &Record| record.target.config == id || record.target.leads_through(&id);
            let found = self.records()?.into_iter().find(matching);
            return found.map(|record| record.target).ok_or_else(|| no_such(text));
        }
        if let Ok(reference) = text.parse::<Reference>()
            && let Some(target) = self.named(&reference)?
        {
            return Ok(target);
        }
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if !Id::is_prefix(digits) {
            return Err(no_such(text));
        }
        let mut found: Option<Target> = None;
        for record in self.records()? {
            let id = &record.target.config;
            if !id.hex().starts_with(digits) {
                continue;
            }
            if found.as_ref().is_some_and(|found| found.config != *id) {
                return Err(Error::invalid(format!("{text} is ambiguous: several images have ids that begin so")));
            }
            found = Some(record.target);
        }
        found.ok_or_else(|| no_such(text))
    }

    /// The same as [`Store::resolve`], with all names of the image.
    ///
    /// # Errors
    /// As [`Store::resolve`].
    pub fn find(&self, text: &str) -> Result<Image> {
        let target = self.resolve(text)?;
        let image = self.list()?.into_iter().find(|image| image.id == target.config);
        image.map(|image| Image { target, ..image }).ok_or_else(|| no_such(text))
    }

    /// What a reference means; a digest counts and a tag beside it does not.
    ///
    /// # Errors
    /// [`Corrupt`](base::Kind::Corrupt) for a damaged record.
    pub fn named(&self, reference: &Reference) -> Result<Option<Target>> {
        let Some(digest) = reference.digest() else { return Ok(self.record(reference)?.map(|record| record.target)) };
        let by_digest = reference.with_digest(digest.clone());
        if let Some(record) = self.record(&by_digest)? {
            return Ok(Some(record.target));
        }
        let same = |record: &Record| {
            let own = record.reference.as_ref();
            own.is_some_and(|own| own.name() == reference.name()) && record.target.leads_through(digest)
        };
        Ok(self.records()?.into_iter().find(same).map(|record| record.target))
    }

    fn record(&self, reference: &Reference) -> Result<Option<Record>> {
        file::read_json(self.images()?, &file_name(reference))
            .map_err(|error| error.context(format!("image name {}", reference.familiar())))
    }

    pub(crate) fn records(&self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for name in names_in(self.images()?)? {
            let record = file::read_json(self.images()?, &name).map_err(|error| error.context("images"))?;
            // Removed since the folder was read.
            records.extend(record);
        }
        Ok(records)
    }
}

impl Exclusive<'_> {
    /// Makes `reference` mean `target`, whatever it meant before. An image that loses its last name so stays, and dangles.
    ///
    /// Returns what it meant before, where that was another image.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn set_name(&self, reference: &Reference, target: &Target) -> Result<Option<Target>> {
        let store = self.store;
        let before =
            store.record(reference)?.map(|record| record.target).filter(|before| before.config != target.config);
        if let Some(before) = &before
            && store.names_of(&before.config)? <= 1
        {
            self.keep_unnamed(before)?;
        }
        crash_point!("tag.kept");
        self.write(&file_name(reference), Some(reference), target)?;
        crash_point!("tag.named");
        // It has a name now.
        file::remove(store.images()?, &unnamed_file_name(&target.config))?;
        self.write_index()?;
        Ok(before)
    }

    /// Takes a name away; returns what it meant. Nothing is removed but the name.
    ///
    /// # Errors
    /// When the record cannot be removed.
    pub fn remove_name(&self, reference: &Reference) -> Result<Option<Target>> {
        let Some(record) = self.store.record(reference)? else { return Ok(None) };
        file::remove(self.store.images()?, &file_name(reference))?;
        self.write_index()?;
        Ok(Some(record.target))
    }

    /// Keeps an image that has no name, as one that dangles.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn keep_unnamed(&self, target: &Target) -> Result<()> {
        self.write(&unnamed_file_name(&target.config), None, target)
    }

    /// Forgets a dangling image; the next collection removes it.
    ///
    /// # Errors
    /// When the record cannot be removed.
    pub fn forget_unnamed(&self, id: &Digest) -> Result<()> {
        file::remove(self.store.images()?, &unnamed_file_name(id))
    }

    fn write(&self, name: &str, reference: Option<&Reference>, target: &Target) -> Result<()> {
        let record = Record { reference: reference.cloned(), target: target.clone(), set: Timestamp::now() };
        file::replace_json(self.store.images()?, name, &record, Durability::Synced)
    }

    /// Writes what foreign tools read of an OCI image layout; nothing here reads it.
    fn write_index(&self) -> Result<()> {
        let root = self.store.root();
        let mut manifests = Vec::new();
        for record in self.store.records()? {
            let mut descriptor = record.target.manifest;
            if let Some(reference) = record.reference {
                descriptor.annotations.insert("org.opencontainers.image.ref.name".to_owned(), reference.to_string());
            }
            manifests.push(descriptor);
        }
        let media_type = Some(media_type::OCI_INDEX.to_owned());
        let index = Index { schema_version: 2, media_type, manifests, annotations: BTreeMap::new() };
        file::replace_json(root, INDEX, &index, Durability::Lazy)?;
        if file::read_bounded(root, OCI_LAYOUT, 1 << 10)?.is_none() {
            file::replace(root, OCI_LAYOUT, b"{\"imageLayoutVersion\":\"1.0.0\"}", Durability::Lazy)?;
        }
        Ok(())
    }
}

impl Store {
    fn names_of(&self, id: &Digest) -> Result<usize> {
        let named = |record: &&Record| record.reference.is_some() && record.target.config == *id;
        Ok(self.records()?.iter().filter(named).count())
    }
}

impl Target {
    /// Whether `digest` is that of the manifest or of an index that led to it.
    #[must_use]
    pub fn leads_through(&self, digest: &Digest) -> bool {
        self.manifest.digest == *digest || self.indexes.iter().any(|index| index.digest == *digest)
    }
}

// A reference may be longer than a file's name and has slashes.
fn file_name(reference: &Reference) -> String {
    Digest::sha256(reference.to_string().as_bytes()).hex().to_owned()
}

fn unnamed_file_name(id: &Digest) -> String {
    format!("unnamed-{}-{}", id.algorithm().name(), id.hex())
}

fn full_digest(text: &str) -> Option<Digest> {
    text.parse().ok().or_else(|| text.parse::<Id>().ok().and_then(|id| format!("sha256:{id}").parse().ok()))
}

fn no_such(text: &str) -> Error {
    let shown: String = match text.parse::<Reference>() {
        Ok(reference) if full_digest(text).is_none() => reference.familiar(),
        _ => text.chars().take(300).collect(),
    };
    Error::not_found(format!("No such image: {shown}"))
}
