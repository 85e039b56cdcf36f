//! The client against Debian's `docker-registry`, set up in each way in which registries are.

use crate::certificates::certificates;
use crate::debian_registry::DebianRegistry;
use crate::{client, descriptor, get, noise, password, put, repository, round_trip, tag, token_server};
use base::Kind;
use oci::media_type;
use registry::Uploaded;
use registry::hosts::Hosts;
use std::process::Command;

#[test]
fn an_open_registry_takes_and_gives() {
    let debian = DebianRegistry::start("open", |_| String::new());
    let repository = repository(Hosts::default(), &debian.name("one/app"), None);
    repository.check().unwrap();
    assert!(repository.look_up(&tag("latest")).unwrap().is_none());
    assert_eq!(repository.manifest(&tag("latest")).unwrap_err().kind(), Kind::NotFound);
    round_trip(&repository, "latest");
    round_trip(&repository, "second");
    let mut tags = repository.tags().unwrap();
    tags.sort();
    assert_eq!(tags, ["latest", "second"]);
    assert!(!repository.has_blob(&descriptor(b"absent").digest).unwrap());
    assert_eq!(get(&repository, &descriptor(b"absent"), 0).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_blob_is_mounted_from_another_repository() {
    let debian = DebianRegistry::start("mount", |_| String::new());
    let layer = noise(100_000);
    put(&repository(Hosts::default(), &debian.name("source"), None), &layer, None).unwrap();
    let target = repository(Hosts::default(), &debian.name("target"), None);
    assert_eq!(put(&target, &layer, Some("source")).unwrap(), Uploaded::Mounted);
    assert_eq!(get(&target, &descriptor(&layer), 0).unwrap(), layer);
    // What the other repository lacks is sent.
    assert_eq!(put(&target, b"new", Some("source")).unwrap(), Uploaded::Sent);
    assert_eq!(put(&target, b"newer", Some("nowhere")).unwrap(), Uploaded::Sent);
}

#[test]
fn a_registry_checks_what_it_is_sent() {
    let debian = DebianRegistry::start("checks", |_| String::new());
    let repository = repository(Hosts::default(), &debian.name("app"), None);
    let absent = crate::manifest(b"{}", b"never sent");
    let error = repository.put_manifest(&tag("x"), media_type::OCI_MANIFEST, &absent).unwrap_err();
    assert!(error.to_string().contains("unknown"), "{error}");
}

#[test]
fn basic_authentication_wants_the_right_password() {
    let debian = DebianRegistry::start("basic", |folder| {
        let output = Command::new("htpasswd").args(["-Bbn", "u", "p"]).output().expect("htpasswd is installed");
        std::fs::write(folder.join("htpasswd"), output.stdout).unwrap();
        format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", folder.join("htpasswd").display())
    });
    let as_user = |credentials| repository(Hosts::default(), &debian.name("app"), credentials);
    round_trip(&as_user(password("u", "p")), "latest");
    for credentials in [None, password("u", "wrong"), password("nobody", "p")] {
        let repository = as_user(credentials);
        assert_eq!(repository.check().unwrap_err().kind(), Kind::Unauthenticated);
        assert_eq!(repository.manifest(&tag("latest")).unwrap_err().kind(), Kind::Unauthenticated);
        assert_eq!(put(&repository, b"x", None).unwrap_err().kind(), Kind::Unauthenticated);
    }
}

#[test]
fn tls_is_trusted_by_the_authority_that_was_named() {
    let debian = DebianRegistry::start("tls", |_| {
        let folder = &certificates().folder;
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display())
    });
    let name = debian.name("app");
    let registry = name.split('/').next().unwrap();
    let mut trusted = Hosts::default();
    trusted.registry_mut(registry).authorities.push(certificates().pem("ca.pem"));
    round_trip(&repository(trusted, &name, None), "latest");
    let mut astray = Hosts::default();
    astray.registry_mut(registry).authorities.push(certificates().pem("other.pem"));
    assert!(repository(astray, &name, None).check().unwrap_err().to_string().contains("not trusted"));
    let mut plain = Hosts::default();
    plain.registry_mut(registry).plain_http = true;
    assert!(repository(plain, &name, None).check().is_err());
}

#[test]
fn token_authentication_asks_for_what_it_needs() {
    let folder = std::env::temp_dir().join(format!("registry-tokens-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let tokens = token_server::start(&folder);
    let realm = format!("http://{}/token", tokens.authority());
    let debian = DebianRegistry::start("token", |_| {
        format!(
            "auth:\n  token:\n    realm: {realm}\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
            token_server::SERVICE,
            token_server::ISSUER,
            folder.join("signer.pem").display()
        )
    });
    let repository_of =
        |credentials| client(Hosts::default()).repository(&debian.name("app").parse().unwrap(), credentials).unwrap();
    let own = repository_of(password("u", "p"));
    round_trip(&own, "latest");
    let asked: Vec<String> = tokens.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(asked.len(), 2, "one token to push and one to pull: {asked:?}");
    assert_eq!(put(&own, b"mounted", Some("other")).unwrap(), Uploaded::Sent);
    assert!(tokens.seen().last().unwrap().target.contains("repository%3Aother%3Apull"));
    assert_eq!(repository_of(None).manifest(&tag("latest")).unwrap_err().kind(), Kind::Unauthenticated);
    let error = repository_of(password("u", "wrong")).manifest(&tag("latest")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert!(error.to_string().contains("incorrect username or password"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}
