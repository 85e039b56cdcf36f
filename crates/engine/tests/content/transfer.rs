//! Push to Debian's `docker-registry` and pull back.

#[path = "../../../registry/tests/protocol/debian_registry.rs"]
mod debian_registry;

use std::sync::Mutex;

use base::Kind;
use engine::images::{PullRequest, PushRequest, RemoveImageRequest, RemovedImage};
use engine::{Progress, Stage, Update};

use self::debian_registry::DebianRegistry;
use crate::Host;
use crate::archive::archive;

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Stage>>);

impl Progress for Told {
    fn report(&self, update: &Update) {
        self.0.lock().unwrap().push(update.stage.clone());
    }
}

fn push(host: &Host, name: &str) -> Vec<Stage> {
    let request = PushRequest { reference: name.parse().unwrap(), all_tags: false, platform: None, credentials: None };
    let told = Told::default();
    host.engine.push_image(&host.caller, &request, &told).unwrap();
    told.0.into_inner().unwrap()
}

fn pull(host: &Host, name: &str) -> base::Result<Vec<Stage>> {
    let request = PullRequest { reference: name.parse().unwrap(), all_tags: false, platform: None, credentials: None };
    let told = Told::default();
    host.engine.pull_image(&host.caller, &request, &told)?;
    Ok(told.0.into_inner().unwrap())
}

#[test]
fn what_is_pushed_is_pulled() {
    let (one, other) = (Host::make(), Host::make());
    let registry = DebianRegistry::start("engine", |_| String::new());
    let name = registry.name("team/app:1");
    let id = one.import("app", &archive(&[("etc/motd", "hello")]));
    one.engine.tag_image(&one.caller, "app", &name.parse().unwrap()).unwrap();
    let told = push(&one, &name);
    assert!(told.contains(&Stage::Pushed) && !told.contains(&Stage::LayerExists), "{told:?}");
    assert!(push(&one, &name).contains(&Stage::LayerExists));
    // The registry's digest is a name from now on, and goes with the tag.
    let details = one.engine.inspect_image(&one.caller, &name).unwrap();
    assert_eq!(details.repository_digests, [format!("{}@{}", registry.name("team/app"), details.manifest.digest)]);
    let told = pull(&other, &name).unwrap();
    assert!(told.contains(&Stage::PullComplete) && told.contains(&Stage::Downloaded(name.clone())), "{told:?}");
    assert_eq!(other.engine.inspect_image(&other.caller, &name).unwrap().id, id);
    assert!(pull(&other, &name).unwrap().contains(&Stage::UpToDate(name.clone())));
    let by_digest = &details.repository_digests[0];
    assert!(pull(&other, by_digest).unwrap().contains(&Stage::UpToDate(by_digest.clone())));
    let removed = other.engine.remove_image(&other.caller, &name, RemoveImageRequest::default()).unwrap();
    assert_eq!(removed.iter().filter(|one| matches!(one, RemovedImage::Untagged(_))).count(), 2);
    assert!(other.names("blobs/sha256").is_empty() && other.names("layers").is_empty());
    let missing = pull(&other, &registry.name("team/app:2")).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    assert!(missing.to_string().contains("manifest for"), "{missing}");
}

#[test]
fn a_lost_layer_is_extracted_again() {
    let host = Host::make();
    host.import("app", &archive(&[("etc/motd", "hello")]));
    let layers = host.path.join("root/layers");
    let layer = layers.join(&host.names("layers")[0]);
    std::fs::remove_dir_all(&layer).unwrap();
    // A volume at a path of the image needs its files.
    let settings = engine::containers::Settings {
        image: "app".to_owned(),
        volumes: ["/etc".to_owned()].into(),
        ..engine::containers::Settings::default()
    };
    let request = engine::containers::CreateRequest { name: None, platform: None, settings };
    host.engine.create_container(&host.caller, request).unwrap();
    assert!(layer.join("tree/etc/motd").exists());
    let volume = host.path.join("root/volumes").join(&host.names("volumes")[0]);
    assert_eq!(std::fs::read_to_string(volume.join("_data/motd")).unwrap(), "hello");
}

#[test]
fn a_pull_heals_what_a_disk_has_lost() {
    let host = Host::make();
    let registry = DebianRegistry::start("heal", |_| String::new());
    let name = registry.name("app:1");
    let id = host.import(&name, &archive(&[("etc/motd", "hello")]));
    push(&host, &name);
    // Every blob is damaged, and the files of the layer are lost.
    for blob in host.names("blobs/sha256") {
        let path = host.path.join("root/blobs/sha256").join(blob);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::remove_dir_all(host.path.join("root/layers").join(&host.names("layers")[0])).unwrap();
    assert_eq!(host.engine.inspect_image(&host.caller, &name).unwrap_err().kind(), Kind::Corrupt);
    pull(&host, &name).unwrap();
    let details = host.engine.inspect_image(&host.caller, &name).unwrap();
    assert_eq!(details.id, id);
    let files = std::path::Path::new(&details.storage["UpperDir"]);
    assert_eq!(std::fs::read_to_string(files.join("etc/motd")).unwrap(), "hello");
}
