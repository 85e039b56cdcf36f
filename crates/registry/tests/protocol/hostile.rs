//! Registries that lie, hang, break off and send their clients astray.

use crate::server::{Body, Reply, Seen, Server, reply};
use crate::{client, descriptor, get, manifest, noise, password, put, repository, tag};
use base::Kind;
use base::digest::Digest;
use oci::media_type;
use registry::Selector;
use registry::hosts::Hosts;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn pull(server: &Server) -> registry::Repository<'static> {
    repository(Hosts::default(), &format!("{}/a/b", server.authority()), None)
}

fn document(bytes: &[u8]) -> Reply {
    reply(200).with("content-type", media_type::OCI_MANIFEST).body(bytes.to_vec())
}

#[test]
fn a_manifest_has_the_digest_that_was_asked_for() {
    let server = Server::plain(|_| document(b"{\"other\":1}"));
    let wanted = Digest::sha256(b"what was wanted");
    let error = pull(&server).manifest(&Selector::Digest(wanted.clone())).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains(&wanted.to_string()), "{error}");
}

#[test]
fn a_registry_that_lies_about_its_own_digest_is_caught() {
    let server = Server::plain(|_| document(b"{}").with("docker-content-digest", &Digest::sha256(b"x").to_string()));
    assert_eq!(pull(&server).manifest(&tag("latest")).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn an_endless_manifest_is_not_read() {
    let claimed = Server::plain(|_| document(&vec![b' '; 5 << 20]));
    let endless = Server::plain(|_| reply(200).with("content-type", media_type::OCI_MANIFEST).body(Body::Endless));
    for server in [claimed, endless] {
        assert_eq!(pull(&server).manifest(&tag("latest")).unwrap_err().kind(), Kind::Corrupt);
    }
}

#[test]
fn an_endless_head_is_not_read() {
    let server = Server::plain(|_| reply(200).body(Body::EndlessHead));
    let error = pull(&server).manifest(&tag("latest")).unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable | Kind::Corrupt), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_blob_has_the_size_that_the_manifest_says() {
    let bytes = noise(10_000);
    let longer = [bytes.clone(), vec![1]].concat();
    let wanted = descriptor(&bytes);
    for body in [Body::Bytes(longer.clone()), Body::Chunked(longer.clone()), Body::Bytes(bytes[1..].to_vec())] {
        let body = Mutex::new(Some(body));
        let server = Server::plain(move |_| reply(200).body(body.lock().unwrap().take().unwrap_or(Body::Silence)));
        assert_eq!(get(&pull(&server), &wanted, 0).unwrap_err().kind(), Kind::Corrupt);
    }
}

#[test]
fn other_bytes_than_promised_are_found() {
    let server = Server::plain(|_| reply(200).body("other bytes"));
    let error = pull(&server).small_blob(&descriptor(b"these bytes"), 100).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
}

/// Serves ranges of `bytes`, but never more than `most` at a time.
fn in_pieces(bytes: Arc<Vec<u8>>, most: usize) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| {
        let offset: usize = match seen.header("range") {
            Some(range) => range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap(),
            None => 0,
        };
        let rest = bytes[offset..].to_vec();
        let end = most.min(rest.len());
        let range = format!("bytes {offset}-{}/{}", bytes.len() - 1, bytes.len());
        let answer = if offset > 0 { reply(206).with("content-range", &range) } else { reply(200) };
        answer.body(Body::Broken(rest, end))
    }
}

#[test]
fn a_blob_that_breaks_off_goes_on_where_it_broke() {
    let bytes = Arc::new(noise(1_000_000));
    let server = Server::plain(in_pieces(bytes.clone(), 90_000));
    // More breaks than attempts: each piece is progress.
    assert_eq!(get(&pull(&server), &descriptor(&bytes), 0).unwrap(), *bytes);
    let seen = server.seen();
    assert_eq!(seen.len(), 12);
    assert_eq!(seen[3].header("range"), Some("bytes=270000-"));
}

#[test]
fn a_blob_without_progress_is_given_up() {
    let bytes = Arc::new(noise(100_000));
    let server = Server::plain(in_pieces(bytes.clone(), 0));
    assert_eq!(get(&pull(&server), &descriptor(&bytes), 0).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_registry_without_ranges_sends_everything_again() {
    let bytes = Arc::new(noise(500_000));
    let (body, half) = (bytes.clone(), 200_000);
    let server = Server::plain(move |seen| {
        reply(200).body(if seen.number == 0 { Body::Broken(body.to_vec(), half) } else { Body::Bytes(body.to_vec()) })
    });
    assert_eq!(get(&pull(&server), &descriptor(&bytes), 0).unwrap(), *bytes);
}

#[test]
fn a_wrong_range_is_refused() {
    let bytes = noise(1000);
    for range in ["bytes 0-999/1000", "bytes 500-999/2000", "nonsense"] {
        let body = bytes[500..].to_vec();
        let server = Server::plain(move |_| reply(206).with("content-range", range).body(body.clone()));
        assert_eq!(get(&pull(&server), &descriptor(&bytes), 500).unwrap_err().kind(), Kind::Corrupt, "{range}");
    }
}

#[test]
fn a_registry_that_hangs_is_left_after_a_while() {
    let bytes = noise(100_000);
    let stuck = bytes.clone();
    let silent = Server::plain(|_| reply(200).body(Body::Silence));
    let halting = Server::plain(move |_| reply(200).body(Body::Stuck(stuck.clone(), 0)));
    assert_eq!(pull(&silent).manifest(&tag("latest")).unwrap_err().kind(), Kind::Unavailable);
    let error = get(&pull(&halting), &descriptor(&bytes), 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("silent"), "{error}");
}

#[test]
fn nobody_there_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = repository(Hosts::default(), &format!("{free}/x"), None).manifest(&tag("latest")).unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[test]
fn server_errors_are_tried_again_and_bounded() {
    let broken = Server::plain(|_| reply(503));
    let error = pull(&broken).manifest(&tag("latest")).unwrap_err();
    assert_eq!((error.kind(), broken.seen().len()), (Kind::Unavailable, 3));
    let recovering = Server::plain(|seen| if seen.number < 2 { reply(500) } else { document(b"{}") });
    assert_eq!(pull(&recovering).manifest(&tag("latest")).unwrap().bytes, b"{}");
}

#[test]
fn a_busy_registry_is_asked_again_when_it_wants() {
    let server =
        Server::plain(|seen| if seen.number == 0 { reply(429).with("retry-after", "1") } else { document(b"{}") });
    let started = Instant::now();
    pull(&server).manifest(&tag("latest")).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let patient = Server::plain(|_| {
        reply(429)
            .with("retry-after", "3600")
            .body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}"#)
    });
    let error = pull(&patient).manifest(&tag("latest")).unwrap_err();
    assert_eq!((error.kind(), patient.seen().len()), (Kind::Unavailable, 1));
    assert!(error.to_string().contains("3600") && error.to_string().contains("pull rate limit"), "{error}");
}

#[test]
fn a_wait_is_told_and_can_be_cancelled() {
    let server = Server::plain(|_| reply(429).with("retry-after", "3"));
    let told = Mutex::new(Vec::new());
    let tell = |wait: &registry::Wait<'_>| {
        told.lock().unwrap().push(wait.seconds);
        wait.seconds > 2
    };
    let repository = pull(&server).watched(&tell);
    assert!(repository.manifest(&tag("latest")).unwrap_err().to_string().contains("cancelled"));
    assert_eq!(*told.lock().unwrap(), [3, 2]);
}

#[test]
fn a_registry_that_never_accepts_its_tokens_is_left() {
    let tokens = Server::plain(|_| reply(200).body(r#"{"token":"t","expires_in":300}"#));
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", tokens.authority());
    let server = Server::plain(move |_| reply(401).with("www-authenticate", &realm));
    let error = pull(&server).manifest(&tag("latest")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert!(server.seen().len() <= 3 && tokens.seen().len() <= 2);
}

#[test]
fn a_refusal_without_a_way_in_is_final() {
    for challenge in ["Negotiate", "Basic realm=\"x\"", "Bearer realm=\"ftp://x\"", "Bearer"] {
        let server = Server::plain(move |_| reply(401).with("www-authenticate", challenge));
        assert!(pull(&server).manifest(&tag("latest")).is_err(), "{challenge}");
        assert!(server.seen().len() <= 2);
    }
}

#[test]
fn wrong_passwords_are_not_tried_again() {
    let server = Server::plain(|_| reply(401).with("www-authenticate", "Basic realm=\"x\""));
    let name = format!("{}/x", server.authority());
    let error = repository(Hosts::default(), &name, password("u", "p")).manifest(&tag("latest")).unwrap_err();
    assert_eq!((error.kind(), server.seen().len()), (Kind::Unauthenticated, 2));
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let bytes = noise(50_000);
    let stored = bytes.clone();
    let elsewhere = Server::plain(move |_| reply(200).body(stored.clone()));
    let target = format!("http://{}/bucket/object?signature=x", elsewhere.authority());
    let server = Server::plain(move |seen| match seen.header("authorization") {
        Some("Basic dTpw") => reply(307).with("location", &target),
        _ => reply(401).with("www-authenticate", "Basic realm=\"x\""),
    });
    let name = format!("{}/x", server.authority());
    let repository = repository(Hosts::default(), &name, password("u", "p"));
    assert_eq!(get(&repository, &descriptor(&bytes), 0).unwrap(), bytes);
    let seen = elsewhere.seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (1, None));
}

#[test]
fn a_host_that_is_redirected_to_cannot_ask_for_credentials() {
    let elsewhere = Server::plain(|_| reply(401).with("www-authenticate", "Basic realm=\"give\""));
    let target = format!("http://{}/object", elsewhere.authority());
    let server = Server::plain(move |_| reply(302).with("location", &target));
    let name = format!("{}/x", server.authority());
    let repository = repository(Hosts::default(), &name, password("u", "p"));
    assert!(get(&repository, &descriptor(b"bytes"), 0).is_err());
    assert!(elsewhere.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn redirects_end() {
    let server = Server::plain(|seen| reply(302).with("location", &format!("/again/{}", seen.number)));
    let error = pull(&server).manifest(&tag("latest")).unwrap_err();
    assert!(error.to_string().contains("for ever"), "{error}");
    assert!(server.seen().len() < 10);
}

#[test]
fn an_upload_that_is_sent_elsewhere_takes_no_credentials_along() {
    let elsewhere = Server::plain(|_| reply(201));
    let target = format!("http://{}/upload", elsewhere.authority());
    let server = Server::plain(move |seen| match seen.header("authorization") {
        Some(_) => reply(202).with("location", &target),
        None => reply(401).with("www-authenticate", "Basic realm=\"x\""),
    });
    let name = format!("{}/x", server.authority());
    put(&repository(Hosts::default(), &name, password("u", "p")), b"layer", None).unwrap();
    let seen = elsewhere.seen();
    assert_eq!((seen[0].body.as_slice(), seen[0].header("authorization")), (&b"layer"[..], None));
}

#[test]
fn an_upload_host_cannot_ask_for_credentials() {
    let thief = Server::plain(|_| reply(200).body(r#"{"token":"t"}"#));
    let realm = format!("Bearer realm=\"http://{}/token\"", thief.authority());
    let elsewhere = Server::plain(move |_| reply(401).with("www-authenticate", &realm));
    let target = format!("http://{}/upload", elsewhere.authority());
    let server = Server::plain(move |seen| match seen.header("authorization") {
        Some(_) => reply(202).with("location", &target),
        None => reply(401).with("www-authenticate", "Basic realm=\"x\""),
    });
    let name = format!("{}/x", server.authority());
    let error = put(&repository(Hosts::default(), &name, password("u", "p")), b"layer", None).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert!(thief.seen().is_empty() && elsewhere.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn an_upload_that_breaks_begins_anew() {
    let server = Server::plain(|seen| match (seen.method.as_str(), seen.number) {
        ("POST", number) => reply(202).with("location", &format!("/upload/{number}")),
        (_, 1) => reply(200).body(Body::Silence),
        _ => reply(201),
    });
    let bytes = noise(100_000);
    put(&pull(&server), &bytes, None).unwrap();
    let seen = server.seen();
    let last = seen.last().unwrap();
    assert_eq!((last.path(), &last.body), ("/upload/2", &bytes));
}

#[test]
fn a_list_of_tags_has_pages_and_an_end() {
    let server = Server::plain(|seen| match seen.target.as_str() {
        "/v2/a/b/tags/list?n=1000" => {
            reply(200).with("link", "</v2/a/b/tags/list?last=two&n=2>; rel=\"next\"").body(r#"{"tags":["one","two"]}"#)
        }
        _ => reply(200).body(r#"{"tags":["three"]}"#),
    });
    assert_eq!(pull(&server).tags().unwrap(), ["one", "two", "three"]);
    let endless =
        Server::plain(|_| reply(200).with("link", "</v2/a/b/tags/list?x=1>; rel=next").body(r#"{"tags":[]}"#));
    assert_eq!(pull(&endless).tags().unwrap_err().kind(), Kind::Corrupt);
    let astray =
        Server::plain(|_| reply(200).with("link", "<http://127.0.0.9:1/x>; rel=next").body(r#"{"tags":["a"]}"#));
    assert_eq!(pull(&astray).tags().unwrap_err().kind(), Kind::Denied);
}

#[test]
fn what_a_registry_says_is_shown_as_plain_text() {
    let server = Server::plain(|_| {
        reply(404).body("{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"no \\u001b[31msuch\\n thing\"}]}")
    });
    let error = pull(&server).manifest(&tag("gone")).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().ends_with("manifest unknown: no  [31msuch  thing"), "{error}");
    let garbage = Server::plain(|_| reply(400).body(Body::Endless));
    assert_eq!(pull(&garbage).manifest(&tag("x")).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn schema_1_is_refused_with_a_reason() {
    let server = Server::plain(|_| {
        reply(200)
            .with("content-type", media_type::DOCKER_MANIFEST_SCHEMA1_SIGNED)
            .body(r#"{"schemaVersion":1,"fsLayers":[]}"#)
    });
    let served = pull(&server).manifest(&tag("old")).unwrap();
    let error = oci::manifest::parse(&served.media_type, &served.bytes).unwrap_err();
    assert!(error.kind() == Kind::Unsupported && error.to_string().contains("schema 1"), "{error}");
}

#[test]
fn a_server_that_does_not_speak_http_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming().take(8).flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    let error = repository(Hosts::default(), &format!("{address}/x"), None).manifest(&tag("latest")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_mirror_gets_no_credentials_and_need_not_work() {
    let (config, layer) = (b"{}".to_vec(), noise(10));
    let document_bytes = manifest(&config, &layer);
    let served = document_bytes.clone();
    let mirror = Server::plain(move |seen| match seen.path() {
        "/m/v2/a/b/manifests/there" => document(&served),
        "/m/v2/a/b/manifests/broken" => reply(500),
        _ => reply(404),
    });
    let own = document_bytes.clone();
    let server = Server::plain(move |seen| match seen.header("authorization") {
        Some("Basic dTpw") => document(&own),
        _ => reply(401).with("www-authenticate", "Basic realm=\"x\""),
    });
    let mut hosts = Hosts::default();
    let mirror_address = registry::hosts::Mirror::parse(&format!("http://{}/m", mirror.authority())).unwrap();
    hosts.registry_mut(&server.authority()).mirrors.push(mirror_address);
    let reference = format!("{}/a/b", server.authority()).parse().unwrap();
    for (name, at_registry) in [("there", 0), ("absent", 2), ("broken", 2)] {
        let before = server.seen().len();
        let repository = client(hosts.clone()).repository(&reference, password("u", "p")).unwrap();
        assert_eq!(repository.manifest(&tag(name)).unwrap().bytes, document_bytes);
        assert_eq!(server.seen().len() - before, at_registry, "{name}");
    }
    assert!(mirror.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!(mirror.count("/m/v2/a/b/manifests/broken"), 1);
}

#[test]
fn an_address_in_a_registrys_place_gets_no_credentials() {
    let other = Server::plain(|_| reply(401).with("www-authenticate", "Basic realm=\"x\""));
    let mut hosts = Hosts::default();
    let address = registry::hosts::Mirror::parse(&format!("http://{}", other.authority())).unwrap();
    hosts.registry_mut("registry.invalid").server = Some(address.clone());
    hosts.registry_mut(&other.authority()).server = Some(address);
    let credentials_of = |registry: &str| {
        let reference = format!("{registry}/a/b").parse().unwrap();
        let before = other.seen().len();
        client(hosts.clone()).repository(&reference, password("u", "p")).unwrap().manifest(&tag("x")).unwrap_err();
        let seen = other.seen();
        assert!(seen.len() > before);
        seen[before..].iter().filter_map(|seen| seen.header("authorization").map(str::to_owned)).collect::<Vec<_>>()
    };
    assert!(credentials_of("registry.invalid").is_empty());
    assert_eq!(credentials_of(&other.authority()), ["Basic dTpw"]);
}

#[test]
fn a_proxy_is_asked_for_what_is_not_excepted() {
    // Behind its tunnel, the proxy plays the registry as well.
    let proxy = Server::plain(|seen| if seen.method == "CONNECT" { reply(200) } else { document(b"{}") });
    let mut hosts = Hosts::default();
    hosts.proxies.http = Some(format!("http://{}", proxy.authority()));
    hosts.proxies.none = "direct.invalid".to_owned();
    for name in ["registry.invalid:5000", "direct.invalid"] {
        hosts.registry_mut(name).plain_http = true;
    }
    let through = repository(hosts.clone(), "registry.invalid:5000/x", None);
    assert_eq!(through.manifest(&tag("latest")).unwrap().bytes, b"{}");
    assert_eq!(proxy.seen()[0].target, "registry.invalid:5000");
    let error = repository(hosts, "direct.invalid/x", None).manifest(&tag("latest")).unwrap_err();
    assert!(error.to_string().contains("cannot be reached") && proxy.seen().len() == 2, "{error}");
}
