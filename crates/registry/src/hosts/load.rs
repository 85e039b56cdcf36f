//! Finds the files in which Docker, Podman and containerd keep what they know of registries.

use super::{Hosts, Identity, containerd, containers, docker};
use base::{Context, Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No file of certificates or settings is longer.
const FILE_LIMIT_BYTES: u64 = 4 << 20;

/// Where others keep their settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// `daemon.json` and `certs.d`.
    pub docker: PathBuf,
    /// `registries.conf`, `registries.conf.d` and `certs.d`.
    pub containers: PathBuf,
    /// `certs.d`.
    pub containerd: PathBuf,
}

impl Default for Directories {
    fn default() -> Self {
        Self {
            docker: "/etc/docker".into(),
            containers: "/etc/containers".into(),
            containerd: "/etc/containerd".into(),
        }
    }
}

/// Reads everything that `directories` say of registries; what is missing says nothing. Docker's word comes before that of the others.
///
/// # Errors
/// Those of a file that is there and cannot be read or understood, with its path.
pub fn load(directories: &Directories) -> Result<Hosts> {
    let mut hosts = Hosts::default();
    let daemon = directories.docker.join("daemon.json");
    if let Some(text) = read_text(&daemon)? {
        hosts.fall_back_on(docker::parse(&text).map_err(|error| error.context(daemon.display()))?);
    }
    for folder in [&directories.docker, &directories.containers] {
        hosts.fall_back_on(load_certificates(&folder.join("certs.d"))?);
    }
    // Files of the folder win over the file beside it, later names over earlier ones (containers-registries.conf.d(5)).
    let mut files = entries(&directories.containers.join("registries.conf.d"))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.reverse();
    files.push(directories.containers.join("registries.conf"));
    for file in files {
        if let Some(text) = read_text(&file)? {
            hosts.fall_back_on(containers::parse(&text).map_err(|error| error.context(file.display()))?);
        }
    }
    hosts.fall_back_on(load_containerd(&directories.containerd.join("certs.d"))?);
    Ok(hosts)
}

/// Docker's layout: a folder for each registry with `*.crt` of authorities and `*.cert` with `*.key` of our own.
fn load_certificates(folder: &Path) -> Result<Hosts> {
    let mut hosts = Hosts::default();
    for directory in entries(folder)? {
        let Some(name) = directory.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        for file in entries(&directory)? {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => hosts.registry_mut(&name).authorities.extend(read(&file)?),
                Some("cert") => {
                    let key = file.with_extension("key");
                    let missing =
                        || Error::not_found(format!("{} has no key {} beside it", file.display(), key.display()));
                    let certificate = read(&file)?.unwrap_or_default();
                    let key = read(&key)?.ok_or_else(missing)?;
                    hosts.registry_mut(&name).identity = Some(Identity { certificate, key });
                }
                _ => {}
            }
        }
    }
    Ok(hosts)
}

/// containerd's layout: a folder for each registry with a `hosts.toml`; a port may be written between underscores.
fn load_containerd(folder: &Path) -> Result<Hosts> {
    let mut hosts = Hosts::default();
    for directory in entries(folder)? {
        let file = directory.join("hosts.toml");
        let (Some(name), Some(text)) = (directory.file_name().and_then(|name| name.to_str()), read_text(&file)?) else {
            continue;
        };
        let registry = registry_of(name);
        let servers = containerd::parse(&text).map_err(|error| error.context(file.display()))?;
        let complete = |server: containerd::Server| -> Result<super::Mirror> {
            let mut mirror = server.mirror;
            let content =
                |name: &str| read_required(&directory.join(name)).map_err(|error| error.context(file.display()));
            mirror.authorities = server.authorities.iter().map(|name| content(name)).collect::<Result<_>>()?;
            if let Some((certificate, key)) = &server.identity {
                mirror.identity = Some(Identity { certificate: content(certificate)?, key: content(key)? });
            }
            Ok(mirror)
        };
        let known = hosts.registry_mut(&registry);
        for server in servers.mirrors {
            known.mirrors.push(complete(server)?);
        }
        known.server = servers.server.map(complete).transpose()?;
    }
    Ok(hosts)
}

/// `host_5000_` is `host:5000`.
fn registry_of(folder: &str) -> String {
    let with_port = folder.strip_suffix('_').and_then(|rest| rest.rsplit_once('_'));
    match with_port {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{host}:{port}")
        }
        _ => folder.to_owned(),
    }
}

/// What lies in `folder`, by name; a folder that is missing is empty.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
    };
    let mut paths = Vec::new();
    for entry in listing {
        paths.push(entry.with_context(|| format!("read {}", folder.display()))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The content of a file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("read {}", path.display()))?;
    if bytes.len() as u64 > FILE_LIMIT_BYTES {
        return Err(Error::invalid(format!("{} is longer than {FILE_LIMIT_BYTES} bytes", path.display())));
    }
    Ok(Some(bytes))
}

fn read_required(path: &Path) -> Result<Vec<u8>> {
    read(path)?.ok_or_else(|| Error::not_found(format!("{} does not exist", path.display())))
}

fn read_text(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::invalid(format!("{} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_others_wrote() {
        let base = std::env::temp_dir().join(format!("registry-load-{}", std::process::id()));
        let directories = Directories {
            docker: base.join("docker"),
            containers: base.join("containers"),
            containerd: base.join("containerd"),
        };
        let write = |name: &str, text: &str| {
            let path = base.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(load(&directories).is_ok());
        write("docker/daemon.json", r#"{"insecure-registries":["i.lan"]}"#);
        write("docker/certs.d/r.lan:5000/ca.crt", "AUTHORITY");
        write("docker/certs.d/r.lan:5000/client.cert", "CERTIFICATE");
        write("docker/certs.d/r.lan:5000/client.key", "KEY");
        write("containers/registries.conf", "[[registry]]\nlocation='x.lan'\nblocked=true");
        write("containers/registries.conf.d/50.conf", "[[registry]]\nlocation='x.lan'\ninsecure=true");
        write("containerd/certs.d/c.lan_5000_/hosts.toml", "[host.'https://m.lan']\nca='ca.pem'");
        write("containerd/certs.d/c.lan_5000_/ca.pem", "OTHER");
        let hosts = load(&directories).unwrap();
        let first = |registry: &str| hosts.endpoints(registry, "a").unwrap().remove(0);
        assert_eq!(first("i.lan").summary(), "i.lan/v2/a https http unverified");
        assert_eq!(first("x.lan").summary(), "x.lan/v2/a https http unverified");
        let own = first("r.lan:5000");
        assert_eq!((own.authorities, own.identity.unwrap().key), (vec![b"AUTHORITY".to_vec()], b"KEY".to_vec()));
        let mirror = first("c.lan:5000");
        assert_eq!(
            (mirror.summary().as_str(), mirror.authorities),
            ("m.lan/v2/a https mirror", vec![b"OTHER".to_vec()])
        );
        std::fs::remove_file(base.join("docker/certs.d/r.lan:5000/client.key")).unwrap();
        assert!(load(&directories).unwrap_err().to_string().contains("client.key"));
        std::fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named() {
        let base = std::env::temp_dir().join(format!("registry-load-bad-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        std::fs::write(base.join("daemon.json"), "{").unwrap();
        let directories = Directories { docker: base.clone(), containers: base.join("c"), containerd: base.join("d") };
        assert!(load(&directories).unwrap_err().to_string().contains("daemon.json"));
        std::fs::remove_dir_all(base).unwrap();
    }
}
