//! The container's own `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname`: written anew at each start, into its directory, and bound from there.

use std::io::{ErrorKind, Write};
use std::path::Path;

use base::file::{self, Durability};
use base::{Context, Result};
use runtime::spec::{Mount, MountOptions, MountSource, Propagation, ReadOnly};
use rustix::fs::{AtFlags, Mode, OFlags};

use crate::containers::record::{Locked, Sandbox};
use crate::containers::{NetworkMode, Settings};
use crate::networks::uses_resolver;
use crate::{Engine, layout, plan};

/// Longer files of the host are not taken over.
const HOST_FILE_LIMIT: u64 = 1 << 20;

impl Engine {
    /// Writes the files and says where they are mounted. Who shares another's network shares its names and its resolver.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn etc_mounts(&self, container: &Locked, sandbox: &Sandbox) -> Result<Vec<Mount>> {
        let settings = &container.record.settings;
        let own = self.root.layout.container(&container.id);
        write(container, layout::HOSTNAME, &format!("{}\n", container.record.hostname()))?;
        let owner = sandbox.owner.as_ref().map(|owner| self.root.layout.container(owner));
        let network = match owner
            .filter(|owner| owner.join(layout::HOSTS).exists() && owner.join(layout::RESOLV_CONF).exists())
        {
            Some(owner) => owner,
            None => {
                self.write_network_files(container, sandbox)?;
                own.clone()
            }
        };
        Ok(vec![
            mount(settings, &network, layout::HOSTS, "/etc/hosts"),
            mount(settings, &network, layout::RESOLV_CONF, "/etc/resolv.conf"),
            mount(settings, &own, layout::HOSTNAME, "/etc/hostname"),
        ])
    }

    fn write_network_files(&self, container: &Locked, sandbox: &Sandbox) -> Result<()> {
        self.network_files(container, sandbox)?.iter().try_for_each(|(name, text)| write(container, name, text))
    }

    /// Brings the files of a container that runs up to date after its networks have changed from `before`. What somebody wrote into one since is left alone.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub(crate) fn update_network_files(&self, container: &Locked, before: &Sandbox, now: &Sandbox) -> Result<()> {
        let (before, now) = (self.network_files(container, before)?, self.network_files(container, now)?);
        for ((name, old), (_, new)) in before.iter().zip(&now) {
            let present = file::read_bounded(container.directory(), name, HOST_FILE_LIMIT)?;
            if old != new && present.is_some_and(|present| present == old.as_bytes()) {
                write_in_place(container, name, new)?;
            }
        }
        Ok(())
    }

    /// The content of `hosts` and `resolv.conf`, by the names of the files.
    fn network_files(&self, container: &Locked, sandbox: &Sandbox) -> Result<[(&'static str, String); 2]> {
        let settings = &container.record.settings;
        let base = if sandbox.network == NetworkMode::Host { Some(read_host("/etc/hosts")?) } else { None };
        let own = sandbox.endpoints.iter().find_map(|endpoint| endpoint.attachment.gateways.v4);
        let gateway = self.configuration().host_gateway_ip.clone().or_else(|| own.map(|gateway| gateway.to_string()));
        let mut hosts = plan::files::hosts(settings, base.as_deref(), gateway.as_deref())?;
        // Elsewhere the resolver knows them.
        if sandbox.endpoints.iter().all(|endpoint| endpoint.names.is_empty()) {
            for (name, addresses) in self.linked_hosts(container, sandbox)? {
                hosts.extend(addresses.iter().map(|address| format!("{address}\t{name}\n")));
            }
        }
        for endpoint in &sandbox.endpoints {
            for address in endpoint.addresses() {
                hosts.push_str(&plan::files::own_name(address, container.record.hostname(), &settings.domainname));
            }
        }
        let host = self.host_resolv_conf()?;
        let resolver = match uses_resolver(sandbox, &plan::files::servers(settings, &host)) {
            true => plan::files::resolv_conf_of_resolver(settings, &host),
            false => plan::files::resolv_conf(settings, &host),
        };
        Ok([(layout::HOSTS, hosts), (layout::RESOLV_CONF, resolver)])
    }

    /// The host's own, where its resolver is asked; a missing one is empty.
    pub(crate) fn host_resolv_conf(&self) -> Result<String> {
        read_host("/etc/resolv.conf")
    }
}

/// Everybody in the container may read it.
fn write(container: &Locked, name: &str, text: &str) -> Result<()> {
    file::replace(container.directory(), name, text.as_bytes(), Durability::Lazy)?;
    rustix::fs::chmodat(container.directory(), name, Mode::from_raw_mode(0o644), AtFlags::empty())
        .with_context(|| format!("let everybody read {name}"))
}

/// The file that is mounted in the container is this one: another of its name would not be seen there.
fn write_in_place(container: &Locked, name: &str, text: &str) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(container.directory(), name, flags, Mode::empty())
        .with_context(|| format!("open {name}"))?;
    std::fs::File::from(file).write_all(text.as_bytes()).with_context(|| format!("write {name}"))
}

fn mount(settings: &Settings, directory: &Path, name: &str, target: &str) -> Mount {
    let read_only = if settings.read_only_root { ReadOnly::Single } else { ReadOnly::No };
    Mount {
        source: MountSource::Bind { path: directory.join(name), subpath: None, recursive: false },
        target: target.to_owned(),
        options: MountOptions { read_only, ..MountOptions::default() },
        propagation: Propagation::default(),
    }
}

/// A file of the host's; a missing one is empty.
fn read_host(path: &str) -> Result<String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error).with_context(|| format!("read {path}")),
    };
    let bytes = file::read_file_bounded(file.into(), HOST_FILE_LIMIT).with_context(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
