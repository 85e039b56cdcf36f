//! A registry that breaks off, sends elsewhere, is busy, fails or lies: what the person at the terminal is told, and what stays.

use crate::harness::{Finished, Host, eventually, finish};
use crate::registry::server::{Body, Server, reply};
use crate::registry::{LAYER, MANIFEST, Registry};

fn pull_with(host: &Host, configuration: &str, name: &str) -> Finished {
    let file = host.file("engine.json", configuration);
    let mut command = host.command();
    command.arg("--config-file").arg(file).args(["pull", name]);
    finish(command, b"")
}

#[test]
fn a_connection_that_breaks_is_taken_up_by_range() {
    let host = Host::new();
    let registry = Registry::with(|seen, contents| {
        let (media_type, bytes) = contents.things.get(seen.path().rsplit('/').next()?)?;
        let is_first = media_type.starts_with(LAYER) && bytes.len() > 500_000 && seen.header("range").is_none();
        is_first.then(|| reply(200).body(Body::Broken(bytes.clone(), 300_000)))
    });
    host.berth(["pull", &registry.name("1")]).ok();
    let path = format!("/v2/app/blobs/{}", registry.base_layer());
    let ranges: Vec<_> = registry.server.seen().into_iter().filter(|seen| seen.path() == path).collect();
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[1].header("range"), Some("bytes=300000-"));
}

#[test]
fn what_is_kept_elsewhere_is_fetched_without_credentials() {
    let host = Host::new();
    let contents = Registry::start();
    let held = contents.contents.clone();
    let elsewhere = Server::plain(move |seen| {
        let contents = held.lock().unwrap();
        let (_, bytes) = &contents.things[seen.path().rsplit('/').next().unwrap()];
        reply(200).body(bytes.clone())
    });
    let address = elsewhere.authority();
    let registry = Registry::with(move |seen, _| {
        if seen.header("authorization") != Some("Basic dTpw") {
            return Some(reply(401).with("www-authenticate", "Basic realm=\"x\""));
        }
        let digest = seen.path().strip_prefix("/v2/app/blobs/")?;
        Some(reply(307).with("location", &format!("http://{address}/{digest}")))
    });
    let name = registry.name("1");
    let server = registry.server.authority();
    host.file("client/config.json", format!(r#"{{"auths":{{"{server}":{{"auth":"dTpw"}}}}}}"#));
    host.berth(["pull", &name]).ok();
    let asked = elsewhere.seen();
    assert!(asked.len() >= 4 && asked.iter().all(|seen| seen.header("authorization").is_none()), "{asked:?}");
}

#[test]
fn a_busy_registry_is_asked_again_and_the_wait_is_said() {
    let host = Host::new();
    let registry = Registry::with(|seen, _| {
        (seen.number < 2 && seen.path().contains("/manifests/")).then(|| reply(429).with("retry-after", "1"))
    });
    let pulled = host.berth(["pull", &registry.name("1")]).ok();
    assert!(pulled.stdout.contains("Retrying in 1 second"), "{pulled:?}");
}

#[test]
fn a_registry_that_only_fails_is_left_after_a_few_attempts() {
    let host = Host::new();
    let registry = Registry::with(|_, _| Some(reply(503).body("out of order")));
    let name = registry.name("1");
    let failed = pull_with(&host, r#"{"max-download-attempts":2}"#, &name).code(1);
    assert!(failed.stderr.contains("503") && failed.stderr.contains(&registry.server.authority()), "{failed:?}");
    assert!(registry.server.seen().len() <= 4, "{}", registry.server.seen().len());
}

#[test]
fn a_registry_that_hangs_can_be_left_and_tried_again() {
    let host = Host::new();
    let registry = Registry::with(|seen, _| (seen.number == 0).then(|| reply(200).body(Body::Silence)));
    let name = registry.name("1");
    let pull = host.spawn(["pull", &name]);
    assert!(eventually(|| !registry.server.seen().is_empty()));
    pull.signal("INT");
    assert_ne!(pull.finish().code, 0);
    host.berth(["pull", &name]).ok();
}

#[test]
fn documents_that_lie_are_named() {
    type Lie = fn(Vec<u8>) -> (&'static str, Vec<u8>);
    let lies: [(&str, Lie); 4] = [
        ("a web page", |_| ("text/html", b"<html>log in</html>".to_vec())),
        ("an old schema", |_| {
            (
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                br#"{"schemaVersion":1,"name":"app"}"#.to_vec(),
            )
        }),
        ("half a manifest", |bytes| (MANIFEST, bytes[..bytes.len() / 2].to_vec())),
        ("too many layers", |bytes| {
            let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let layer = manifest["layers"][0].clone();
            manifest["layers"] = vec![layer; 5000].into();
            (MANIFEST, manifest.to_string().into_bytes())
        }),
    ];
    for (what, lie) in lies {
        let host = Host::new();
        let registry = Registry::with(move |seen, contents| {
            let digest = contents.tags.get(seen.path().strip_prefix("/v2/app/manifests/")?)?;
            let (media_type, bytes) = lie(contents.things[digest].1.clone());
            Some(reply(200).with("content-type", media_type).body(bytes))
        });
        let name = registry.name("1");
        let failed = host.berth(["pull", &name]).code(1);
        assert!(failed.stderr.contains("app") && failed.stderr.lines().count() == 1, "{what}: {failed:?}");
        assert!(host.berth(["images", "-aq"]).ok().lines().is_empty(), "{what}");
    }
}
