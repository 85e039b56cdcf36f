//! Namespaces that already exist are joined; the view of control groups begins; new ones get their first settings.

use crate::spec::{Namespace, Spec};
use base::{Context, Error, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The namespace that was handed over under this name.
pub(crate) fn joined<'a>(joined: &'a BTreeMap<String, OwnedFd>, name: &str) -> Result<BorrowedFd<'a>> {
    match joined.get(name) {
        Some(descriptor) => Ok(descriptor.as_fd()),
        None => Err(Error::invalid(format!("the {name} namespace is to be joined and was not handed over"))),
    }
}

pub(super) fn enter(spec: &Spec, given: &BTreeMap<String, OwnedFd>) -> Result<()> {
    let wanted = spec.namespaces;
    for (name, namespace, kind) in [
        ("network", wanted.network, LinkNameSpaceType::Network),
        ("ipc", wanted.ipc, LinkNameSpaceType::InterProcessCommunication),
        ("uts", wanted.uts, LinkNameSpaceType::HostNameAndNISDomainName),
        ("cgroup", wanted.cgroup, LinkNameSpaceType::ControlGroup),
    ] {
        if namespace == Namespace::Join {
            move_into_link_name_space(joined(given, name)?, Some(kind))
                .with_context(|| format!("join the {name} namespace"))?;
        }
    }
    if wanted.cgroup == Namespace::New {
        // Its top is the group that its maker is in, so not earlier.
        sys::clone::unshare_cgroups().context("make a cgroup namespace")?;
    }
    if wanted.network == Namespace::New {
        sys::network::bring_up_loopback().context("bring up the loopback device")?;
    }
    if wanted.uts == Namespace::New {
        name_host(spec)?;
    }
    Ok(())
}

fn name_host(spec: &Spec) -> Result<()> {
    if !spec.hostname.is_empty() {
        rustix::system::sethostname(spec.hostname.as_bytes())
            .with_context(|| format!("set host name {:?}", spec.hostname))?;
    }
    if !spec.domainname.is_empty() {
        rustix::system::setdomainname(spec.domainname.as_bytes())
            .with_context(|| format!("set domain name {:?}", spec.domainname))?;
    }
    Ok(())
}
