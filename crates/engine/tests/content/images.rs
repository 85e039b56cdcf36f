//! Import, inspect, list, tag, remove, prune, collect.

use std::io::{Read, Write};
use std::path::Path;

use base::Kind;
use base::digest::Digest;
use engine::Silent;
use engine::containers::Filter;
use engine::images::{ImageListRequest, ImportRequest, RemoveImageRequest, RemovedImage};

use crate::Host;
use crate::archive::archive;

const FORCE: RemoveImageRequest = RemoveImageRequest { force: true };
const PLAIN: RemoveImageRequest = RemoveImageRequest { force: false };

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let mut filter = Filter::default();
    for (key, value) in pairs {
        filter.values.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    filter
}

fn tags(host: &Host, pairs: &[(&str, &str)]) -> Vec<String> {
    let request = ImageListRequest { filter: filter(pairs) };
    let images = host.engine.list_images(&host.caller, &request).unwrap();
    images.into_iter().flat_map(|image| if image.tags.is_empty() { vec!["-".to_owned()] } else { image.tags }).collect()
}

fn tag(host: &Host, name: &str, reference: &str) -> base::Result<()> {
    host.engine.tag_image(&host.caller, name, &reference.parse().unwrap())
}

#[test]
fn an_import_is_an_image() {
    let host = Host::make();
    let plain = archive(&[("etc/motd", "hello"), ("bin/true", "#!x")]);
    let request = ImportRequest {
        reference: Some("app:1".parse().unwrap()),
        message: "from a test".to_owned(),
        changes: vec!["CMD [\"/bin/true\"]".to_owned(), "LABEL tier=front".to_owned(), "USER www".to_owned()],
        platform: Some("linux/arm64".parse().unwrap()),
    };
    let id = host.engine.import_image(&host.caller, &request, &mut plain.as_slice(), &Silent).unwrap().id;
    let details = host.engine.inspect_image(&host.caller, "app:1").unwrap();
    assert_eq!((details.id.clone(), details.tags.clone()), (id.clone(), vec!["app:1".to_owned()]));
    assert_eq!((details.config.architecture.as_str(), details.config.config.user.as_str()), ("arm64", "www"));
    assert_eq!(details.size, 8);
    assert_eq!(details.config.rootfs.diff_ids, [Digest::sha256(&plain)]);
    let files = Path::new(&details.storage["UpperDir"]);
    assert_eq!(std::fs::read_to_string(files.join("etc/motd")).unwrap(), "hello");
    let history = host.engine.image_history(&host.caller, &id.hex()[..12]).unwrap();
    assert_eq!((history.len(), history[0].comment.as_str(), history[0].size), (1, "from a test", 8));
    assert_eq!(tags(&host, &[("label", "tier=front")]), ["app:1"]);
    assert!(tags(&host, &[("label", "tier=back")]).is_empty());
    assert!(host.names("leases").is_empty());
}

#[test]
fn compressed_archives_have_the_same_files() {
    let host = Host::make();
    let plain = archive(&[("a", "1")]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    host.import("plain", &plain);
    host.import("gzip", &encoder.finish().unwrap());
    let layers = |name| host.engine.inspect_image(&host.caller, name).unwrap().config.rootfs.diff_ids;
    assert_eq!(layers("plain"), layers("gzip"));
    assert_eq!(host.names("layers").len(), 1);
}

#[test]
fn bad_imports_leave_nothing() {
    let host = Host::make();
    let cut_off = &archive(&[("a", &"x".repeat(4000))])[..1500];
    let error = |archive: &mut (dyn Read + Send), change: &str| {
        let request = ImportRequest { changes: vec![change.to_owned()], ..ImportRequest::default() };
        host.engine.import_image(&host.caller, &request, archive, &Silent).unwrap_err()
    };
    assert_eq!(error(&mut &*cut_off, "CMD x").kind(), Kind::Corrupt);
    assert_eq!(error(&mut archive(&[("../a", "x")]).as_slice(), "CMD x").kind(), Kind::Invalid);
    assert!(error(&mut archive(&[]).as_slice(), "RUN x").to_string().contains("RUN"));
    assert!(error(&mut &b"BZh91AY"[..], "CMD x").to_string().contains("bzip2"));
    for folder in ["blobs/sha256", "layers", "leases", "images"] {
        assert!(host.names(folder).is_empty(), "{folder}: {:?}", host.names(folder));
    }
    assert!(host.engine.list_images(&host.caller, &ImageListRequest::default()).unwrap().is_empty());
}

#[test]
fn names_come_and_go() {
    let host = Host::make();
    let first = host.import("app", &archive(&[("a", "1")]));
    tag(&host, "app", "registry.example/app:2").unwrap();
    tag(&host, first.hex(), "other").unwrap();
    assert_eq!(tags(&host, &[]), ["app:latest", "other:latest", "registry.example/app:2"]);
    assert_eq!(tag(&host, "missing", "x").unwrap_err().to_string(), "No such image: missing:latest");
    let pinned = format!("app@{first}");
    assert_eq!(tag(&host, "app", &pinned).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(tags(&host, &[("reference", "*/app")]), ["registry.example/app:2"]);
    let removed = host.engine.remove_image(&host.caller, "other", PLAIN).unwrap();
    assert_eq!(removed, [RemovedImage::Untagged("other:latest".to_owned())]);
    // Another image takes the name: the first one has others.
    let second = host.import("app", &archive(&[("a", "2")]));
    assert_ne!(first, second);
    assert!(tags(&host, &[("dangling", "true")]).is_empty());
    // And with its last name gone to another, an image dangles.
    tag(&host, "app", "registry.example/app:2").unwrap();
    assert_eq!(tags(&host, &[("dangling", "true")]), ["-"]);
    assert_eq!(tags(&host, &[("dangling", "false")]), ["app:latest", "registry.example/app:2"]);
    assert_eq!(tags(&host, &[("since", first.hex())]), ["app:latest", "registry.example/app:2"]);
    let refused = ImageListRequest { filter: filter(&[("nonsense", "x")]) };
    assert_eq!(host.engine.list_images(&host.caller, &refused).unwrap_err().to_string(), "invalid filter 'nonsense'");
}

#[test]
fn a_removal_takes_what_only_it_needs() {
    let host = Host::make();
    let shared = archive(&[("a", "1")]);
    let id = host.import("one", &shared);
    let other = host.engine.import_image(
        &host.caller,
        &ImportRequest {
            reference: Some("two".parse().unwrap()),
            changes: vec!["USER x".to_owned()],
            ..ImportRequest::default()
        },
        &mut shared.as_slice(),
        &Silent,
    );
    assert_ne!(other.unwrap().id, id);
    let removed = host.engine.remove_image(&host.caller, "one", PLAIN).unwrap();
    let expected = [RemovedImage::Untagged("one:latest".to_owned()), RemovedImage::Deleted(id.to_string())];
    assert_eq!(removed, expected);
    assert_eq!((host.names("layers").len(), host.names("blobs/sha256").len()), (1, 3));
    let removed = host.engine.remove_image(&host.caller, "two", PLAIN).unwrap();
    assert_eq!(removed[2], RemovedImage::Deleted(Digest::sha256(&shared).to_string()));
    for folder in ["layers", "blobs/sha256", "images"] {
        assert!(host.names(folder).is_empty(), "{folder}");
    }
    assert_eq!(host.engine.remove_image(&host.caller, "two", FORCE).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn what_a_container_uses_stays() {
    let host = Host::make();
    let id = host.import("app", &archive(&[("a", "1")]));
    let container = host.create("app", "web");
    let error = host.engine.remove_image(&host.caller, "app", PLAIN).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "conflict: unable to remove repository reference \"app:latest\" (must force) - container {} is using its referenced image {}",
            &container[..12],
            id.short()
        )
    );
    let error = host.engine.remove_image(&host.caller, id.hex(), PLAIN).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "conflict: unable to delete {} (must be forced) - image is being used by stopped container {}",
            id.short(),
            &container[..12]
        )
    );
    let pruned = host.engine.prune_images(&host.caller, &filter(&[("dangling", "false")])).unwrap();
    assert!(pruned.removed.is_empty());
    let removed = host.engine.remove_image(&host.caller, "app", FORCE).unwrap();
    assert_eq!(removed[1], RemovedImage::Deleted(id.to_string()));
    assert_eq!(removed.len(), 2, "the layer is the container's as well: {removed:?}");
    assert_eq!((host.names("layers").len(), host.names("blobs/sha256").len()), (1, 3));
    assert!(tags(&host, &[]).is_empty());
}

#[test]
fn a_prune_takes_what_dangles_or_everything() {
    let host = Host::make();
    host.import("", &archive(&[("a", "1")]));
    host.import("kept", &archive(&[("a", "22")]));
    assert_eq!(host.engine.prune_images(&host.caller, &filter(&[("label", "x")])).unwrap().removed.len(), 0);
    let pruned = host.engine.prune_images(&host.caller, &Filter::default()).unwrap();
    assert_eq!(pruned.removed.len(), 2);
    assert!(pruned.reclaimed_bytes > 1024);
    assert_eq!(tags(&host, &[]), ["kept:latest"]);
    assert!(
        host.engine
            .prune_images(&host.caller, &filter(&[("until", "1h"), ("dangling", "false")]))
            .unwrap()
            .removed
            .is_empty()
    );
    let pruned = host.engine.prune_images(&host.caller, &filter(&[("dangling", "false")])).unwrap();
    assert_eq!(pruned.removed[0], RemovedImage::Untagged("kept:latest".to_owned()));
    assert!(tags(&host, &[]).is_empty());
    assert!(host.engine.prune_images(&host.caller, &filter(&[("x", "y")])).is_err());
}

#[test]
fn what_is_leased_stays() {
    let host = Host::make();
    let root = base::file::open_directory(&host.path.join("root")).unwrap();
    let store = image::Store::open(std::os::fd::AsFd::as_fd(&root)).unwrap();
    let kept = store.write_blob(b"kept").unwrap();
    let lost = store.write_blob(b"lost").unwrap();
    let lease = store.lease().unwrap();
    lease.protect(std::slice::from_ref(&kept)).unwrap();
    host.engine.prune_images(&host.caller, &Filter::default()).unwrap();
    assert_eq!((store.blob_size(&kept).unwrap(), store.blob_size(&lost).unwrap()), (Some(4), None));
    drop(lease);
    host.engine.prune_images(&host.caller, &Filter::default()).unwrap();
    assert_eq!(store.blob_size(&kept).unwrap(), None);
}

#[test]
fn a_damaged_blob_is_recognised_and_can_be_removed() {
    let host = Host::make();
    let good = host.import("good", &archive(&[("a", "1")]));
    let bad = host.import("bad", &archive(&[("a", "22")]));
    let blob = host.path.join("root/blobs/sha256").join(bad.hex());
    let damaged = std::fs::read_to_string(&blob).unwrap().replace("linux", "Linux");
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, damaged).unwrap();
    let error = host.engine.inspect_image(&host.caller, "bad").unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("pull it again"), "{error}");
    assert_eq!(tags(&host, &[]).len(), 2);
    // What a damaged image needs cannot be told, so nothing goes until it is removed itself.
    tag(&host, "good", "good:2").unwrap();
    let error = host.engine.prune_images(&host.caller, &Filter::default()).unwrap_err();
    assert!(error.to_string().contains(bad.short()), "{error}");
    host.engine.remove_image(&host.caller, "bad", PLAIN).unwrap();
    assert_eq!(tags(&host, &[]), ["good:2", "good:latest"]);
    assert!(!blob.exists());
    assert_eq!(host.engine.inspect_image(&host.caller, "good:2").unwrap().id, good);
}
