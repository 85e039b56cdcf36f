//! A look-alike of Docker Hub: TLS of an authority of its own, `library/`, tokens from another host, blobs from a third one.

use crate::certificates::{Clients, certificates, tls_server, tls_server_for};
use crate::server::{Reply, Server, reply};
use crate::{client, descriptor, get, manifest, noise, password, repository, tag};
use base::Kind;
use oci::media_type;
use registry::Credentials;
use registry::hosts::{Hosts, Mirror};
use std::sync::Arc;

const TOKEN: &str = "token-of-the-hub";

struct Hub {
    registry: Server,
    tokens: Server,
    storage: Server,
    layer: Vec<u8>,
    document: Vec<u8>,
}

impl Hub {
    fn start() -> Self {
        let layer = noise(70_000);
        let document = manifest(b"{}", &layer);
        let content = layer.clone();
        let storage = tls_server("127.0.0.3", move |_| reply(200).body(content.clone()));
        let tokens =
            tls_server("127.0.0.2", |_| reply(200).body(format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#).as_str()));
        let (at_tokens, at_storage, served) = (tokens.authority(), storage.authority(), document.clone());
        let registry = tls_server("127.0.0.1", move |seen| {
            let authorized = seen.header("authorization") == Some(&format!("Bearer {TOKEN}"));
            match seen.path() {
                _ if !authorized => challenge(&at_tokens),
                "/v2/library/app/manifests/latest" => {
                    reply(200).with("content-type", media_type::OCI_MANIFEST).body(served.clone())
                }
                path if path.starts_with("/v2/library/app/blobs/") => {
                    reply(307).with("location", &format!("https://{at_storage}/object?signature=1"))
                }
                _ => reply(404),
            }
        });
        Self { registry, tokens, storage, layer, document }
    }

    /// docker.io is this server.
    fn hosts(&self) -> Hosts {
        let mut hosts = Hosts::default();
        let mut server = Mirror::parse(&format!("https://{}", self.registry.authority())).unwrap();
        server.authorities.push(certificates().pem("ca.pem"));
        hosts.registry_mut("docker.io").server = Some(server);
        hosts
    }

    /// The image by the server's own name, which alone gets credentials.
    fn repository(&self, credentials: Option<Credentials>) -> registry::Repository<'static> {
        let mut hosts = Hosts::default();
        hosts.registry_mut(&self.registry.authority()).authorities.push(certificates().pem("ca.pem"));
        repository(hosts, &format!("{}/library/app", self.registry.authority()), credentials)
    }
}

fn challenge(tokens: &str) -> Reply {
    let realm = format!("Bearer realm=\"https://{tokens}/token\",service=\"registry.hub\",scope=\"ignored\"");
    reply(401).with("www-authenticate", &realm)
}

#[test]
fn credentials_reach_the_token_server_and_nobody_else() {
    let hub = Hub::start();
    let repository = hub.repository(password("u", "p"));
    assert_eq!(repository.manifest(&tag("latest")).unwrap().bytes, hub.document);
    assert_eq!(get(&repository, &descriptor(&hub.layer), 0).unwrap(), hub.layer);
    let asked = hub.tokens.seen();
    assert_eq!(asked.len(), 1, "one token serves the whole pull");
    assert_eq!(asked[0].header("authorization"), Some("Basic dTpw"));
    assert_eq!(asked[0].target, "/token?service=registry.hub&scope=repository%3Alibrary%2Fapp%3Apull&account=u");
    assert!(hub.registry.seen().iter().all(|seen| !seen.header("authorization").unwrap_or_default().contains("Basic")));
    assert!(hub.storage.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!(hub.storage.seen().len(), 1);
}

#[test]
fn nobody_needs_credentials_to_pull() {
    let hub = Hub::start();
    let repository = repository(hub.hosts(), "app", None);
    assert_eq!(repository.manifest(&tag("latest")).unwrap().bytes, hub.document);
    assert_eq!(hub.tokens.seen()[0].header("authorization"), None);
}

#[test]
fn a_refresh_token_is_exchanged_by_post() {
    let hub = Hub::start();
    let identity = Credentials::Identity { username: "u".to_owned(), token: "re/fresh".to_owned() };
    hub.repository(Some(identity)).manifest(&tag("latest")).unwrap();
    let asked = &hub.tokens.seen()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/token"));
    let body = String::from_utf8(asked.body.clone()).unwrap();
    assert!(body.contains("grant_type=refresh_token") && body.contains("refresh_token=re%2Ffresh"), "{body}");
}

#[test]
fn a_bearer_token_is_presented_as_it_is() {
    let hub = Hub::start();
    let bearer = Credentials::Bearer(TOKEN.to_owned());
    hub.repository(Some(bearer)).manifest(&tag("latest")).unwrap();
    assert!(hub.tokens.seen().is_empty());
}

#[test]
fn threads_share_one_token() {
    let hub = Hub::start();
    let repository = Arc::new(repository(hub.hosts(), "app", None));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| repository.manifest(&tag("latest")).unwrap());
        }
    });
    assert_eq!(hub.tokens.seen().len(), 1);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let hub = Hub::start();
    let mut hosts = hub.hosts();
    let server = hosts.registry_mut("docker.io").server.as_mut().unwrap();
    server.authorities = vec![certificates().pem("other.pem")];
    let error = repository(hosts, "app", password("u", "p")).manifest(&tag("latest")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("certificate is not trusted"), "{error}");
    assert!(hub.registry.seen().is_empty());
}

#[test]
fn an_unusable_client_certificate_is_an_error() {
    let hub = Hub::start();
    let pem = |name: &str| certificates().pem(name);
    for (certificate, key) in [
        (pem("server.pem"), pem("ca.key")),
        (pem("server.pem"), b"nonsense".to_vec()),
        (b"nonsense".to_vec(), pem("server.key")),
    ] {
        let mut hosts = hub.hosts();
        let server = hosts.registry_mut("docker.io").server.as_mut().unwrap();
        server.identity = Some(registry::hosts::Identity { certificate, key });
        let error = repository(hosts, "app", None).manifest(&tag("latest")).unwrap_err();
        assert!(error.to_string().contains("client certificate"), "{error}");
    }
}

#[test]
fn tokens_are_not_asked_for_in_plain_http() {
    let tokens = Server::plain(|_| reply(200).body(r#"{"token":"t"}"#));
    let realm = format!("Bearer realm=\"http://{}/token\"", tokens.authority());
    let server = tls_server("127.0.0.1", move |_| reply(401).with("www-authenticate", &realm));
    let mut hosts = Hosts::default();
    hosts.registry_mut(&server.authority()).authorities.push(certificates().pem("ca.pem"));
    let error =
        repository(hosts, &format!("{}/x", server.authority()), password("u", "p")).manifest(&tag("a")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().contains("not encrypted"), "{error}");
    assert!(tokens.seen().is_empty());
}

#[test]
fn a_redirect_to_plain_http_is_refused() {
    let elsewhere = Server::plain(|_| reply(200).body("x"));
    let target = format!("http://{}/object", elsewhere.authority());
    let server = tls_server("127.0.0.1", move |_| reply(302).with("location", &target));
    let mut hosts = Hosts::default();
    hosts.registry_mut(&server.authority()).authorities.push(certificates().pem("ca.pem"));
    let repository = client(hosts).repository(&format!("{}/x", server.authority()).parse().unwrap(), None).unwrap();
    assert_eq!(get(&repository, &descriptor(b"x"), 0).unwrap_err().kind(), Kind::Denied);
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn an_upload_address_in_plain_http_means_the_way_that_was_asked() {
    let server = tls_server("127.0.0.1", |seen| match seen.method.as_str() {
        "POST" => reply(202).with("location", "http://127.0.0.1/upload/1?state=x"),
        _ => reply(201),
    });
    let mut hosts = Hosts::default();
    hosts.registry_mut(&server.authority()).authorities.push(certificates().pem("ca.pem"));
    crate::put(&repository(hosts, &format!("{}/x", server.authority()), None), b"layer", None).unwrap();
    assert_eq!(server.seen()[1].path(), "/upload/1");
}

#[test]
fn untrusted_tls_on_this_machine_is_accepted_as_docker_does() {
    let server = tls_server("127.0.0.1", |_| reply(200).with("content-type", media_type::OCI_MANIFEST).body("{}"));
    repository(Hosts::default(), &format!("{}/x", server.authority()), None).manifest(&tag("latest")).unwrap();
}

#[test]
fn our_own_certificate_is_shown_where_it_was_configured() {
    let server = tls_server_for(Clients::Known, "127.0.0.1", |_| {
        reply(200).with("content-type", media_type::OCI_MANIFEST).body("{}")
    });
    let name = format!("{}/x", server.authority());
    let mut hosts = Hosts::default();
    hosts.registry_mut(&server.authority()).authorities.push(certificates().pem("ca.pem"));
    assert!(repository(hosts.clone(), &name, None).manifest(&tag("latest")).is_err());
    let pem = |name: &str| certificates().pem(name);
    let identity = registry::hosts::Identity { certificate: pem("server.pem"), key: pem("server.key") };
    hosts.registry_mut(&server.authority()).identity = Some(identity);
    repository(hosts, &name, None).manifest(&tag("latest")).unwrap();
}
