//! Removes a name of an image, and with the last one the image.
//!
//! The rules are Docker's: a name that is given is taken away, and the image goes with its last tag unless a container uses it; an id takes all names
//! with it as long as they are of one repository.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use base::digest::Digest;
use base::id::Id;
use base::{Error, Kind, Result, crash_point};
use image::{Exclusive, Image};
use oci::reference::Reference;
use supervisor::state::{self, Observed};

use crate::caller::Operation;
use crate::{Caller, Engine};

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveImageRequest {
    /// Also an image with several names (by id), or one that stopped containers use.
    pub force: bool,
}

/// One thing that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovedImage {
    /// A name.
    Untagged(String),
    /// An image or a layer, by digest.
    Deleted(String),
}

/// Containers that were made from an image, one of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    running: Option<Id>,
    stopped: Option<Id>,
}

impl Users {
    pub(super) fn any(&self) -> Option<&Id> {
        self.running.as_ref().or(self.stopped.as_ref())
    }
}

impl Engine {
    /// Removes an image by name or id.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when containers use it or it has several names.
    pub fn remove_image(&self, caller: &Caller, name: &str, request: RemoveImageRequest) -> Result<Vec<RemovedImage>> {
        caller.permit(Operation::Change, &format!("remove image {name}"))?;
        let store = self.image_store()?;
        let exclusive = store.exclusive()?;
        let image = store.find(name)?;
        let users = self.image_users()?.remove(&image.id).unwrap_or_default();
        let given = given_name(name, &image);
        let plan = plan(&image, given.as_ref(), &users, request)?;
        let mut removed = self.untag(&exclusive, &image, &plan.untagged)?;
        if plan.delete {
            removed.extend(self.delete(&exclusive, &[image])?.0);
        }
        Ok(removed)
    }

    /// Which containers were made from which image.
    pub(super) fn image_users(&self) -> Result<BTreeMap<Digest, Users>> {
        let mut users: BTreeMap<Digest, Users> = BTreeMap::new();
        for id in self.root.container_ids()? {
            let Some(container) = self.root.load(&id)? else { continue };
            let is_running = matches!(state::observe(container.directory.as_fd())?, Observed::Supervised(_));
            let of_image = users.entry(container.record.image.id).or_default();
            let user = if is_running { &mut of_image.running } else { &mut of_image.stopped };
            user.get_or_insert(container.id);
        }
        Ok(users)
    }

    /// Takes these names of an image away. An image without a name is kept as one that dangles.
    pub(super) fn untag(
        &self,
        exclusive: &Exclusive<'_>,
        image: &Image,
        names: &[Reference],
    ) -> Result<Vec<RemovedImage>> {
        if names.len() >= image.names.len() {
            exclusive.keep_unnamed(&image.target)?;
            crash_point!("untag.kept");
        }
        let mut removed = Vec::new();
        for name in names {
            exclusive.remove_name(name)?;
            crash_point!("untag.name-removed");
            let attributes = [("name".to_owned(), name.familiar())].into();
            self.record_event("image", "untag", &image.id.to_string(), attributes);
            removed.push(RemovedImage::Untagged(name.familiar()));
        }
        Ok(removed)
    }

    /// Forgets images that have no name any more, and removes what only they needed; returns how many bytes that were, too.
    pub(super) fn delete(&self, exclusive: &Exclusive<'_>, images: &[Image]) -> Result<(Vec<RemovedImage>, u64)> {
        let mut removed = Vec::new();
        for image in images {
            exclusive.forget_unnamed(&image.id)?;
            crash_point!("untag.forgotten");
            self.record_event("image", "delete", &image.id.to_string(), BTreeMap::new());
            removed.push(RemovedImage::Deleted(image.id.to_string()));
        }
        let collected = self
            .collect(exclusive)
            .map_err(|error| error.context("the image is removed; what it leaves cannot be removed yet"))?;
        removed.extend(collected.layers.iter().map(|layer| RemovedImage::Deleted(layer.to_string())));
        Ok((removed, collected.bytes))
    }
}

/// What a removal comes to.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    untagged: Vec<Reference>,
    delete: bool,
}

/// The name of `image` that `text` is; `None` for an id, a digest or a part of one.
fn given_name(text: &str, image: &Image) -> Option<Reference> {
    if text.parse::<Digest>().is_ok() {
        return None;
    }
    let reference: Reference = text.parse().ok()?;
    let reference = match reference.digest() {
        Some(digest) => reference.with_digest(digest.clone()),
        None => reference,
    };
    image.names.iter().map(|name| &name.reference).find(|own| **own == reference).cloned()
}

/// Decides by Docker's rules.
fn plan(image: &Image, given: Option<&Reference>, users: &Users, request: RemoveImageRequest) -> Result<Plan> {
    let names: Vec<Reference> = image.names.iter().map(|name| name.reference.clone()).collect();
    match given {
        Some(given) => plan_by_name(image, names, given, users, request),
        None => plan_by_id(image, names, users, request),
    }
}

fn plan_by_name(
    image: &Image,
    names: Vec<Reference>,
    given: &Reference,
    users: &Users,
    request: RemoveImageRequest,
) -> Result<Plan> {
    if !request.force
        && is_single(&names)
        && let Some(user) = users.any()
    {
        return Err(Error::conflict(format!(
            "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its referenced image {}",
            given.familiar(),
            user.short(),
            image.id.short()
        )));
    }
    let is_tag = |name: &Reference| name.digest().is_none();
    let same_repository = |name: &Reference| name.name() == given.name();
    let others: Vec<Reference> = names.into_iter().filter(|name| name != given).collect();
    let keeps_tag = others.iter().any(|name| is_tag(name) && same_repository(name));
    // The digests of a repository go with its last tag.
    let (gone, left): (Vec<Reference>, Vec<Reference>) =
        others.into_iter().partition(|name| is_tag(given) && !keeps_tag && !is_tag(name) && same_repository(name));
    let untagged = [vec![given.clone()], gone].concat();
    // One that runs keeps its image, without a name.
    let is_kept = users.running.is_some() || (users.stopped.is_some() && !request.force);
    Ok(Plan { untagged, delete: left.is_empty() && !is_kept })
}

fn plan_by_id(image: &Image, names: Vec<Reference>, users: &Users, request: RemoveImageRequest) -> Result<Plan> {
    let refuse = |how: &str, why: String| {
        let message = format!("conflict: unable to delete {} ({how}) - {why}", image.id.short());
        Err(Error::new(Kind::Conflict, message))
    };
    if let Some(user) = &users.running {
        return refuse("cannot be forced", format!("image is being used by running container {}", user.short()));
    }
    if !request.force {
        if !is_single(&names) {
            return refuse("must be forced", "image is referenced in multiple repositories".to_owned());
        }
        if let Some(user) = &users.stopped {
            return refuse("must be forced", format!("image is being used by stopped container {}", user.short()));
        }
    }
    Ok(Plan { untagged: names, delete: true })
}

/// Whether the names are at most one tag, and digests of its repository.
fn is_single(names: &[Reference]) -> bool {
    let tags = names.iter().filter(|name| name.digest().is_none()).count();
    let same_repository = names.iter().all(|name| name.name() == names[0].name());
    tags <= 1 && same_repository
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::Timestamp;
    use image::{Name, Target};
    use oci::manifest::Descriptor;

    fn image(names: &[&str]) -> Image {
        let id = Digest::sha256(b"config");
        let manifest = Descriptor::new("m", Digest::sha256(b"manifest"), 1);
        let name = |text: &&str| {
            let text = text.replace("DIGEST", &Digest::sha256(b"manifest").to_string());
            Name { reference: text.parse().unwrap(), set: Timestamp::ZERO }
        };
        Image {
            id: id.clone(),
            target: Target { config: id, manifest, indexes: Vec::new() },
            names: names.iter().map(name).collect(),
        }
    }

    fn users(running: bool, stopped: bool) -> Users {
        let id = || Some(Id::random().unwrap());
        Users { running: id().filter(|_| running), stopped: id().filter(|_| stopped) }
    }

    /// Names of the image, what is removed, who uses it, whether by force, and what comes of it.
    type Row<'a, T> = (&'a [&'a str], &'a str, &'a Users, bool, T);

    /// Names that go, whether the image goes, or the beginning of the refusal's reason.
    fn decide(names: &[&str], what: &str, users: &Users, force: bool) -> Result<(usize, bool), String> {
        let image = image(names);
        let given = given_name(what, &image);
        let plan = plan(&image, given.as_ref(), users, RemoveImageRequest { force });
        plan.map(|plan| (plan.untagged.len(), plan.delete)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_ids() {
        let (free, running, stopped) = (users(false, false), users(true, false), users(false, true));
        let id = Digest::sha256(b"config").to_string();
        let table: [Row<'_, (usize, bool)>; 10] = [
            (&["a"], "a", &free, false, (1, true)),
            (&["a", "a@DIGEST"], "a", &free, false, (2, true)),
            (&["a", "b"], "a", &free, false, (1, false)),
            (&["a", "a:2", "a@DIGEST"], "a", &free, false, (1, false)),
            (&["a", "b@DIGEST"], "a", &free, false, (1, false)),
            (&["a", "b"], "a", &running, false, (1, false)),
            (&["a"], "a", &running, true, (1, false)),
            (&["a"], "a", &stopped, true, (1, true)),
            (&["a", "a@DIGEST"], &id, &free, false, (2, true)),
            (&["a", "b"], &id, &stopped, true, (2, true)),
        ];
        for (names, what, users, force, expected) in table {
            assert_eq!(decide(names, what, users, force), Ok(expected), "{names:?} {what} {force}");
        }
    }

    #[test]
    fn refusals_are_dockers() {
        let (free, running, stopped) = (users(false, false), users(true, false), users(false, true));
        let id = Digest::sha256(b"config");
        let text = id.to_string();
        let table: [Row<'_, &str>; 5] = [
            (
                &["a"],
                "a",
                &running,
                false,
                "unable to remove repository reference \"a:latest\" (must force) - container",
            ),
            (&["a"], &text, &running, true, "(cannot be forced) - image is being used by running container"),
            (&["a"], &text, &stopped, false, "(must be forced) - image is being used by stopped container"),
            (&["a", "b"], &text, &free, false, "(must be forced) - image is referenced in multiple repositories"),
            (&["a", "a:2"], &id.hex()[..12], &free, false, "(must be forced) - image is referenced in multiple"),
        ];
        for (names, what, users, force, expected) in table {
            let error = decide(names, what, users, force).unwrap_err();
            assert!(error.starts_with("conflict: unable to ") && error.contains(expected), "{error}");
        }
    }
}
