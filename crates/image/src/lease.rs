//! What an unfinished operation needs: a file of digests, which counts as long as its lock is held.

use crate::Store;
use crate::store::names_in;
use base::digest::Digest;
use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Context, Result, file};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

/// No lease is longer: 4096 layers of several images, twice.
const LIMIT_BYTES: u64 = 8 << 20;

/// Keeps what it names from being collected until it is dropped or its process dies.
#[derive(Debug)]
pub struct Lease<'a> {
    store: &'a Store,
    name: String,
    file: File,
}

impl Store {
    /// A new lease on nothing.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn lease(&self) -> Result<Lease<'_>> {
        let name = Id::random()?.to_string();
        // A collection between the making of the file and its lock would take it for a stale one.
        let _shared = self.share()?;
        let lock = Lock::acquire(self.leases()?, &name, Sharing::Exclusive)?;
        Ok(Lease { store: self, name, file: File::from(OwnedFd::from(lock)) })
    }

    /// The digests of all living leases; files of dead ones are removed. Only under the exclusive lock.
    pub(crate) fn leased(&self) -> Result<BTreeSet<Digest>> {
        let mut digests = BTreeSet::new();
        for name in names_in(self.leases()?)? {
            if !Lock::is_held(self.leases()?, &name)? {
                file::remove(self.leases()?, &name)?;
                continue;
            }
            let bytes = file::read_bounded(self.leases()?, &name, LIMIT_BYTES)?.unwrap_or_default();
            digests.extend(String::from_utf8_lossy(&bytes).lines().filter_map(|line| line.parse().ok()));
        }
        Ok(digests)
    }
}

impl Lease<'_> {
    /// Adds blobs, and layers by the digest of their archive.
    ///
    /// What is there when this returns stays as long as the lease; what is not must be made.
    ///
    /// # Errors
    /// When the lease cannot be written.
    pub fn protect(&self, digests: &[Digest]) -> Result<()> {
        let lines: String = digests.iter().map(|digest| format!("{digest}\n")).collect();
        let _shared = self.store.share()?;
        (&self.file).write_all(lines.as_bytes()).context("write a lease")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // One that stays is removed by the next collection.
        let _ = self.store.leases().and_then(|leases| file::remove(leases, &self.name));
    }
}
