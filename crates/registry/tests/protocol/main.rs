//! The client against Debian's `docker-registry` and against a server of the tests' own that behaves as badly as it is told to.
#![forbid(unsafe_code)]
// Tests say what they expect by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, missing_debug_implementations)]

mod certificates;
mod debian;
mod debian_registry;
mod hostile;
mod hub;
mod server;
mod token_server;

use base::digest::Digest;
use oci::manifest::{Descriptor, Manifest};
use oci::media_type;
use registry::hosts::Hosts;
use registry::{BlobSource, Client, Options, Patience, Repository, Selector};
use std::io::{Cursor, Read};
use std::time::Duration;

/// Short enough for a test, long enough for a busy machine.
fn impatient() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        idle: Duration::from_millis(800),
        answer: Duration::from_millis(1500),
        attempts: 3,
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_secs(3),
    }
}

fn client(hosts: Hosts) -> Client {
    Client::new(Options { hosts, patience: impatient(), user_agent: "berth-test".to_owned() })
}

fn repository(hosts: Hosts, name: &str, credentials: Option<registry::Credentials>) -> Repository<'static> {
    client(hosts).repository(&name.parse().unwrap(), credentials).unwrap()
}

fn password(username: &str, password: &str) -> Option<registry::Credentials> {
    Some(registry::Credentials::Password { username: username.to_owned(), password: password.to_owned() })
}

fn tag(name: &str) -> Selector {
    Selector::Tag(name.to_owned())
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type::OCI_LAYER, Digest::sha256(bytes), bytes.len() as u64)
}

/// Bytes that no compression and no repetition makes equal.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 32) as u8
    };
    (0..length).map(|_| step(&mut state)).collect()
}

fn put(repository: &Repository<'_>, bytes: &[u8], from: Option<&str>) -> base::Result<registry::Uploaded> {
    let owned = bytes.to_vec();
    let open = move || Ok(Box::new(Cursor::new(owned.clone())) as Box<dyn Read>);
    repository.put_blob(&descriptor(bytes), from, BlobSource { open: &open, passed: &|_| Ok(()) })
}

fn get(repository: &Repository<'_>, blob: &Descriptor, offset: u64) -> base::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    repository.blob(blob, offset)?.read_to_end(&mut bytes).map_err(registry::recover)?;
    Ok(bytes)
}

/// A manifest of one configuration and one layer.
fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    let config = Descriptor { media_type: media_type::OCI_CONFIG.to_owned(), ..descriptor(config) };
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        config,
        layers: vec![descriptor(layer)],
        annotations: std::collections::BTreeMap::new(),
    };
    serde_json::to_vec(&manifest).unwrap()
}

/// Pushes a small image and pulls it back, byte by byte.
fn round_trip(repository: &Repository<'_>, name: &str) {
    let (config, layer) = (format!(r#"{{"for":"{name}"}}"#).into_bytes(), noise(300_000));
    for bytes in [&config, &layer] {
        put(repository, bytes, None).unwrap();
        assert!(repository.has_blob(&Digest::sha256(bytes)).unwrap());
    }
    let document = manifest(&config, &layer);
    let digest = repository.put_manifest(&tag(name), media_type::OCI_MANIFEST, &document).unwrap();
    let served = repository.manifest(&tag(name)).unwrap();
    assert_eq!((served.digest.clone(), served.bytes), (digest.clone(), document));
    assert_eq!(served.media_type, media_type::OCI_MANIFEST);
    assert_eq!(repository.manifest(&Selector::Digest(digest.clone())).unwrap().digest, digest);
    assert_eq!(repository.look_up(&tag(name)).unwrap().unwrap().digest, digest);
    assert_eq!(get(repository, &descriptor(&layer), 0).unwrap(), layer);
    assert_eq!(get(repository, &descriptor(&layer), 123_456).unwrap(), layer[123_456..]);
    assert_eq!(repository.small_blob(&descriptor(&config), 1000).unwrap(), config);
}
