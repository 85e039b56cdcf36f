//! Images by the command line: names, removal, and what a kill at any moment leaves.

use crate::harness::{Host, IMAGE, rootfs_archive};

fn folder(host: &Host, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(host.root().join(name)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Nothing of any image is on the disk.
fn is_empty(host: &Host) -> bool {
    ["images", "layers", "seams", "blobs/sha256", "leases"].iter().all(|name| folder(host, name).is_empty())
}

fn names(host: &Host) -> Vec<String> {
    host.berth(["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().lines()
}

#[test]
fn an_archive_comes_as_a_stream_or_a_file() {
    let host = Host::new();
    let archive = std::fs::read(rootfs_archive()).unwrap();
    let id = host.berth_with_input(["import", "-", "streamed:1"], &archive).ok().out();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    host.berth([
        "import",
        "-m",
        "a remark",
        "-c",
        "CMD [\"echo\", \"changed\"]",
        rootfs_archive().to_str().unwrap(),
        "filed:1",
    ])
    .ok();
    assert_eq!(host.berth(["run", "--rm", "filed:1"]).ok().out(), "changed");
    let comment = host.berth(["history", "--format", "{{.Comment}}", "filed:1"]).ok().out();
    assert_eq!(comment, "a remark");
    assert_eq!(folder(&host, "layers").len(), 1);
    let bad = host.berth_with_input(["import", "-"], &archive[..100_000]);
    assert_ne!(bad.code, 0);
    host.berth(["import", "-c", "RUN true", rootfs_archive().to_str().unwrap()])
        .code(1)
        .says("not a valid change command");
    assert_eq!(folder(&host, "images").len(), 2);
}

#[test]
fn an_image_in_use_is_not_removed() {
    let host = Host::with_image();
    let container = host.berth(["create", "--name", "user", IMAGE, "true"]).ok().out();
    let refused = host.berth(["rmi", IMAGE]).code(1);
    assert!(refused.stderr.contains("conflict: unable to remove repository reference"), "{refused:?}");
    assert!(refused.stderr.contains(&container[..12]), "{refused:?}");
    let removed = host.berth(["rmi", "-f", IMAGE]).ok().lines();
    assert_eq!(removed[0], format!("Untagged: {IMAGE}:latest"));
    assert!(removed[1].starts_with("Deleted: sha256:"), "{removed:?}");
    // Its files are the container's as well.
    assert_eq!(folder(&host, "layers").len(), 1);
    host.berth(["start", "-a", "user"]).ok();
    host.berth(["rm", "user"]).ok();
    host.berth(["image", "prune", "-f"]).ok();
    assert!(is_empty(&host));
    host.berth(["rmi", IMAGE]).code(1).says("No such image");
}

#[test]
fn an_import_that_is_killed_anywhere_leaves_nothing_that_counts() {
    for point in [
        "pull.extracting",
        "pull.extracted",
        "pull.layer-published",
        "import.extracted",
        "import.blob-linked",
        "import.config-stored",
        "import.before-name",
    ] {
        let host = Host::new();
        let import = ["import", rootfs_archive().to_str().unwrap(), IMAGE];
        host.berth_crashing(point, import).code(-9);
        assert!(names(&host).is_empty(), "{point}");
        host.berth(["image", "prune", "-f"]).ok();
        assert!(is_empty(&host), "{point}");
        host.berth(import).ok();
        host.berth(["run", "--rm", IMAGE, "true"]).ok();
    }
    let host = Host::new();
    host.berth_crashing("import.named", ["import", rootfs_archive().to_str().unwrap(), IMAGE]).code(-9);
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
}

#[test]
fn a_tag_that_is_killed_anywhere_is_set_or_not() {
    for (point, is_set) in [("tag.before-name", false), ("tag.kept", false), ("tag.named", true)] {
        let host = Host::with_image();
        host.berth_crashing(point, ["tag", IMAGE, "other:1"]).code(-9);
        assert_eq!(names(&host).contains(&"other:1".to_owned()), is_set, "{point}");
        host.berth(["tag", IMAGE, "other:1"]).ok();
        assert_eq!(names(&host).len(), 2, "{point}");
        host.berth(["rmi", IMAGE, "other:1"]).ok();
        assert!(is_empty(&host), "{point}");
    }
}

#[test]
fn a_name_that_moves_is_never_lost() {
    for point in ["tag.kept", "tag.named"] {
        let host = Host::with_image();
        let change = ["import", "-c", "USER user", rootfs_archive().to_str().unwrap(), "other:1"];
        host.berth(change).ok();
        let ids = || {
            let mut ids = host.berth(["images", "-aq", "--no-trunc"]).ok().lines();
            ids.sort();
            ids.dedup();
            ids
        };
        let before = ids();
        // The image that loses its only name dangles, whenever the command ends.
        host.berth_crashing(point, ["tag", "other:1", IMAGE]).code(-9);
        assert_eq!(ids(), before, "{point}");
        host.berth(["tag", "other:1", IMAGE]).ok();
        assert_eq!(ids(), before, "{point}");
        host.berth(["image", "prune", "-f"]).ok();
        assert_eq!(ids().len(), 1, "{point}");
    }
}

#[test]
fn a_removal_that_is_killed_anywhere_is_completed_by_the_next() {
    for point in
        ["untag.kept", "untag.name-removed", "untag.forgotten", "collect.blobs-removed", "collect.layers-removed"]
    {
        let host = Host::with_image();
        host.berth_crashing(point, ["rmi", IMAGE]).code(-9);
        let left = names(&host);
        let expected: &[&str] = match point {
            "untag.kept" => &["busybox:latest"],
            "untag.name-removed" => &["<none>:<none>"],
            _ => &[],
        };
        assert_eq!(left, expected, "{point}");
        if point == "untag.kept" {
            host.berth(["rmi", IMAGE]).ok();
        }
        host.berth(["image", "prune", "-f"]).ok();
        assert!(is_empty(&host), "{point}");
        host.berth(["import", rootfs_archive().to_str().unwrap(), IMAGE]).ok();
        host.berth(["run", "--rm", IMAGE, "true"]).ok();
    }
}

#[test]
fn names_are_given_and_taken() {
    let host = Host::with_image();
    host.berth(["tag", IMAGE, "reg.example:5000/team/app:v1"]).ok();
    host.berth(["tag", "absent", "x"]).code(1).says("absent");
    host.berth(["tag", IMAGE, "UPPER"]).code(1).says("invalid reference format");
    host.berth(["tag", IMAGE, &format!("x@sha256:{}", "0".repeat(64))]).code(1).says("a digest cannot be chosen");
    assert_eq!(names(&host), ["busybox:latest", "reg.example:5000/team/app:v1"]);
    let id = host.berth(["images", "-q", IMAGE]).ok().out();
    assert_eq!(host.berth(["image", "inspect", "--format", "{{.Id}}", &id]).ok().out()[7..19], id);
    // By id, two names are one too many.
    host.berth(["rmi", &id]).code(1).says("must be forced");
    assert_eq!(host.berth(["rmi", IMAGE]).ok().out(), "Untagged: busybox:latest");
    let several = host.berth(["rmi", "absent", "reg.example:5000/team/app:v1", "absent-too"]).code(1);
    assert!(several.stdout.starts_with("Untagged: reg.example:5000/team/app:v1\nDeleted: sha256:"), "{several:?}");
    assert_eq!(several.stderr.lines().count(), 2, "{several:?}");
    host.berth(["rmi", "-f", "absent"]).ok().says("absent");
    assert!(is_empty(&host));
}

#[test]
fn lists_are_filtered_and_formatted() {
    let host = Host::with_image();
    host.berth(["import", "-c", "LABEL tier=front", rootfs_archive().to_str().unwrap(), "labelled:1"]).ok();
    let listed = |arguments: &[&str]| {
        let finished = host.berth(["images", "--format", "{{.Repository}}:{{.Tag}}"].iter().chain(arguments)).ok();
        finished.lines()
    };
    assert_eq!(listed(&["--filter", "label=tier=front"]), ["labelled:1"]);
    assert_eq!(listed(&["--filter", "reference=busy*"]), ["busybox:latest"]);
    assert_eq!(listed(&["labelled"]), ["labelled:1"]);
    assert!(listed(&["--filter", "dangling=true"]).is_empty());
    host.berth(["images", "--filter", "nonsense=1"]).code(1).says("nonsense");
    host.berth(["images", "--filter", "nonsense"]).code(1).says("KEY=VALUE");
    host.berth(["images", "--tree"]).code(125).says("not supported: --tree");
    let table = host.berth(["images"]).ok().lines();
    assert_eq!(
        table[0].split_whitespace().collect::<Vec<_>>(),
        ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    );
    assert!(table[1].contains(" ago ") && table[1].ends_with("MB"), "{table:?}");
    let with_digests = host.berth(["images", "--digests"]).ok().lines();
    assert!(with_digests[0].contains("DIGEST") && with_digests[1].contains("<none>"), "{with_digests:?}");
    let whole = host.berth(["images", "-q", "--no-trunc", "labelled"]).ok().out();
    assert!(whole.starts_with("sha256:") && whole.len() == 71, "{whole}");
    let json = host.berth(["images", "--format", "json", "labelled"]).ok().out();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&value["Repository"], &value["Tag"], &value["ID"]),
        (&"labelled".into(), &"1".into(), &whole[7..19].into())
    );
}

#[test]
fn inspection_and_history() {
    let host = Host::new();
    let archive = rootfs_archive().to_str().unwrap();
    let changes = ["-c", "ENV A=1", "-c", "ENTRYPOINT [\"/bin/sh\"]", "-c", "EXPOSE 80", "-m", "made here"];
    host.berth(["import"].iter().chain(&changes).chain(&[archive, "app"])).ok();
    let shown = |format: &str| host.berth(["image", "inspect", "-f", format, "app"]).ok().out();
    assert_eq!(
        shown("{{join .Config.Env \",\"}} {{json .Config.Entrypoint}} {{json .Config.ExposedPorts}}"),
        r#"A=1 ["/bin/sh"] {"80/tcp":{}}"#
    );
    assert_eq!(shown("{{.Os}}/{{.Architecture}} {{len .RootFS.Layers}} {{.RepoTags}}"), "linux/amd64 1 [app:latest]");
    // What is there is shown also where something is missing.
    let half = host.berth(["image", "inspect", "app", "absent"]).code(1).says("absent");
    let value: serde_json::Value = serde_json::from_str(&half.stdout).unwrap();
    assert_eq!(value.as_array().unwrap().len(), 1);
    assert_eq!(host.berth(["image", "inspect", "absent"]).code(1).stdout, "[]\n");
    host.berth(["image", "inspect", "-f", "{{.Nothing}}", "app"]).code(1).says("no entry for key \"Nothing\"");
    let history = host
        .berth(["history", "--no-trunc", "--human=false", "--format", "{{.ID}} {{.Size}} {{.Comment}}", "app"])
        .ok()
        .out();
    let words: Vec<&str> = history.split(' ').collect();
    assert!(words[0].starts_with("sha256:") && words[1].parse::<u64>().unwrap() > 1_000_000, "{history}");
    assert!(history.ends_with("made here"), "{history}");
    host.berth(["history", "absent"]).code(1).says("absent");
}

#[test]
fn prunes_take_what_dangles_or_all_that_is_not_used() {
    let host = Host::with_image();
    let archive = rootfs_archive().to_str().unwrap();
    // A name that moves leaves an image without one.
    host.berth(["import", "-c", "USER user", archive, IMAGE]).ok();
    assert_eq!(names(&host).len(), 2);
    let pruned = host.berth(["image", "prune", "-f"]).ok().stdout;
    assert!(
        pruned.starts_with("Deleted Images:\ndeleted: sha256:") && pruned.contains("\n\nTotal reclaimed space: "),
        "{pruned}"
    );
    assert_eq!(names(&host), ["busybox:latest"]);
    assert_eq!(host.berth(["image", "prune", "-f"]).ok().stdout, "Total reclaimed space: 0B\n");
    host.berth(["create", "--name", "user", IMAGE, "true"]).ok();
    host.berth(["import", archive, "unused"]).ok();
    let pruned = host.berth(["image", "prune", "-af"]).ok().stdout;
    assert!(pruned.contains("untagged: unused:latest\n"), "{pruned}");
    assert_eq!(names(&host), ["busybox:latest"]);
}
