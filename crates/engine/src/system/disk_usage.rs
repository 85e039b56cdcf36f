//! How much room everything takes.

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;

use crate::caller::Operation;
use crate::containers::{is_supervised, size};
use crate::{Caller, Engine};

/// Room of one kind of thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageOf {
    /// How many there are.
    pub count: u64,
    /// How many of them are in use.
    pub active: u64,
    /// Bytes.
    pub bytes: u64,
    /// Bytes that a prune would give back.
    pub reclaimable_bytes: u64,
}

/// How much room everything takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Images.
    pub images: UsageOf,
    /// Containers.
    pub containers: UsageOf,
    /// Volumes.
    pub volumes: UsageOf,
}

impl UsageOf {
    fn add_active(&mut self, bytes: u64) {
        self.count += 1;
        self.active += 1;
        self.bytes += bytes;
    }

    fn add_idle(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.reclaimable_bytes += bytes;
    }
}

impl Engine {
    /// Counts how much room everything takes, which walks all files.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn disk_usage(&self, caller: &Caller) -> Result<DiskUsage> {
        caller.permit(Operation::Read, "count the disk usage")?;
        Ok(DiskUsage {
            images: self.usage_of_images()?,
            containers: self.usage_of_containers()?,
            volumes: self.usage_of_volumes()?,
        })
    }

    /// Blobs and extracted files, what several images share counted once.
    fn usage_of_images(&self) -> Result<UsageOf> {
        let in_use: Vec<Digest> = self.images_of_containers()?.into_iter().map(|image| image.id).collect();
        let mut usage = UsageOf::default();
        // What each thing takes, and whether a container needs it.
        let mut things: BTreeMap<(Digest, &str), (u64, bool)> = BTreeMap::new();
        for image in self.image_store()?.list()? {
            let is_active = in_use.contains(&image.id);
            usage.count += 1;
            usage.active += u64::from(is_active);
            for (thing, bytes) in self.parts_of_image(&image)? {
                things.entry(thing).or_insert((bytes, false)).1 |= is_active;
            }
        }
        for (bytes, is_active) in things.into_values() {
            usage.bytes += bytes;
            usage.reclaimable_bytes += if is_active { 0 } else { bytes };
        }
        Ok(usage)
    }

    fn usage_of_containers(&self) -> Result<UsageOf> {
        let mut usage = UsageOf::default();
        for id in self.root.container_ids()? {
            let Some(container) = self.root.load(&id)? else { continue };
            let bytes = size::of_directory(self.root.containers(), id.as_str())?;
            if is_supervised(&container)? { usage.add_active(bytes) } else { usage.add_idle(bytes) }
        }
        Ok(usage)
    }

    fn usage_of_volumes(&self) -> Result<UsageOf> {
        let users = self.volumes_in_use()?;
        let mut usage = UsageOf::default();
        for volume in self.all_volumes()? {
            let bytes = self.volume_bytes(&volume.name)?;
            if users.contains_key(&volume.name) { usage.add_active(bytes) } else { usage.add_idle(bytes) }
        }
        Ok(usage)
    }
}
