//! Who a process is and what it may do.
//!
//! The inheritable and the ambient set are always empty (CVE-2022-29162, CVE-2022-24769 and their kin): what a program gets is decided by
//! the bounding set and by who runs it.

use super::user::User;
use base::{Context, Result};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// More than the kernel knows; it says where they end.
const CAPABILITIES: u32 = 64;

/// What is left to be taken away when nothing but exec follows.
#[derive(Debug)]
pub(super) struct Final(CapabilitySet);

/// Becomes `user` with at most `wanted`. `until_filtered` is kept beside that until [`Final::apply`].
pub(super) fn assume(user: &User, wanted: u64, until_filtered: CapabilitySet) -> Result<Final> {
    let have = rustix::thread::capabilities(None).context("look at our capabilities")?.permitted;
    let wanted = CapabilitySet::from_bits_retain(wanted) & have;
    let final_set = if user.uid == 0 { wanted } else { CapabilitySet::empty() };
    bound(wanted)?;
    rustix::thread::clear_ambient_capability_set().context("clear the ambient capabilities")?;
    rustix::thread::set_keep_capabilities(true).context("keep capabilities")?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups).context("set the groups")?;
    let gid = Gid::from_raw(user.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).with_context(|| format!("become group {}", user.gid))?;
    let uid = Uid::from_raw(user.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).with_context(|| format!("become user {}", user.uid))?;
    set(final_set | until_filtered & have)?;
    Ok(Final(final_set))
}

impl Final {
    /// Takes away what was only kept for the filter.
    pub(super) fn apply(&self) -> Result<()> {
        set(self.0)
    }
}

fn bound(wanted: CapabilitySet) -> Result<()> {
    for number in 0..CAPABILITIES {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if wanted.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno).context("bound the capabilities"),
        }
    }
    Ok(())
}

fn set(capabilities: CapabilitySet) -> Result<()> {
    let sets = CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).context("set the capabilities")
}

/// Lets nobody look into this process, or open what it runs from, until its program is in place (CVE-2019-5736).
pub(crate) fn stay_private() -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("keep the process private")
}
