//! Lists images.

mod pattern;

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;
use image::Store;
use oci::config::ImageConfig;
use oci::reference::Reference;

use super::resolve::read_config;
use crate::caller::Operation;
use crate::containers::Filter;
use crate::{Caller, Engine};

/// Which images to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageListRequest {
    /// Keys: `reference`, `dangling`, `before`, `since`, `label`, `until`.
    pub filter: Filter,
}

/// One image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSummary {
    /// The digest of its configuration.
    pub id: Digest,
    /// `alpine:3.20`; empty: dangling.
    pub tags: Vec<String>,
    /// `alpine@sha256:…`.
    pub repository_digests: Vec<String>,
    /// From its configuration; zero where that does not say.
    pub created: Timestamp,
    /// Bytes of its extracted files.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How many containers are made from it.
    pub containers: u64,
}

impl Engine {
    /// Lists images, the newest first. One whose configuration is damaged is listed as well: somebody must be able to remove it.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn list_images(&self, caller: &Caller, request: &ImageListRequest) -> Result<Vec<ImageSummary>> {
        caller.permit(Operation::Read, "list images")?;
        let filter = &request.filter;
        filter.check_keys(&["before", "dangling", "label", "reference", "since", "until"])?;
        let store = self.image_store()?;
        let bounds = Bounds::of(&store, filter)?;
        let dangling = filter.truth("dangling")?;
        let users = self.containers_by_image()?;
        let mut images = Vec::new();
        for image in store.list()? {
            let config = read_config(&store, &image.id).unwrap_or_default();
            let created = config.created.unwrap_or(Timestamp::ZERO);
            let is_tagged = image.names.iter().any(|name| name.reference.digest().is_none());
            let names = matching_names(&image, filter.get("reference"));
            if !bounds.hold(created)
                || !filter.labels_pass(&config.config.labels)
                || dangling.is_some_and(|dangling| dangling == is_tagged)
                || (names.is_empty() && !filter.get("reference").is_empty())
            {
                continue;
            }
            let (digests, tags): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.digest().is_some());
            images.push(ImageSummary {
                tags: tags.into_iter().map(Reference::familiar).collect(),
                repository_digests: digests.into_iter().map(Reference::familiar).collect(),
                created,
                size: self.image_size(&config.rootfs.diff_ids)?,
                labels: config.config.labels,
                containers: users.get(&image.id).copied().unwrap_or(0),
                id: image.id,
            });
        }
        images.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.id.cmp(&other.id)));
        Ok(images)
    }

    /// How many containers are made from each image.
    fn containers_by_image(&self) -> Result<BTreeMap<Digest, u64>> {
        let mut users = BTreeMap::new();
        for image in self.images_of_containers()? {
            *users.entry(image.id).or_default() += 1;
        }
        Ok(users)
    }
}

/// The names of an image that one of `patterns` matches; without patterns all.
fn matching_names<'a>(image: &'a image::Image, patterns: &[String]) -> Vec<&'a Reference> {
    let matches = |reference: &&Reference| {
        let texts = [reference.familiar(), reference.familiar_name()];
        patterns.is_empty() || patterns.iter().any(|pattern| texts.iter().any(|text| pattern::matches(pattern, text)))
    };
    image.names.iter().map(|name| &name.reference).filter(matches).collect()
}

/// Between which points in time an image must have been made, both excluded.
#[derive(Debug, Default)]
struct Bounds {
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Bounds {
    fn of(store: &Store, filter: &Filter) -> Result<Self> {
        let created = |name: &String| -> Result<Timestamp> {
            let config: ImageConfig = read_config(store, &store.resolve(name)?.config)?;
            Ok(config.created.unwrap_or(Timestamp::ZERO))
        };
        let last = |key: &str| filter.get(key).last().map(created).transpose();
        let until = filter.until(Timestamp::now())?;
        let before = [last("before")?, until].into_iter().flatten().min();
        Ok(Self { after: last("since")?, before })
    }

    fn hold(&self, created: Timestamp) -> bool {
        self.after.is_none_or(|after| created > after) && self.before.is_none_or(|before| created < before)
    }
}
