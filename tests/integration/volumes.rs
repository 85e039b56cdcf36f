//! Volumes: named, anonymous, of the image; copy-up; removal.

use crate::harness::{Host, IMAGE};

#[test]
fn create_list_inspect_remove() {
    let host = Host::with_image();
    assert_eq!(host.berth(["volume", "create", "--label", "a=b", "data"]).ok().out(), "data");
    assert_eq!(host.berth(["volume", "create", "data"]).ok().out(), "data");
    let generated = host.berth(["volume", "create"]).ok().out();
    assert_eq!(generated.len(), 64);
    assert_eq!(host.berth(["volume", "ls", "-q", "--filter", "label=a"]).ok().out(), "data");
    assert_eq!(
        host.berth(["volume", "inspect", "--format", "{{.Driver}} {{.Scope}} {{.Labels.a}}", "data"]).ok().out(),
        "local local b"
    );
    let place = host.berth(["volume", "inspect", "--format", "{{.Mountpoint}}", "data"]).ok().out();
    assert!(std::path::Path::new(&place).is_dir());
    assert_eq!(host.berth(["volume", "rm", "data"]).ok().out(), "data");
    assert!(!std::path::Path::new(&place).exists());
    host.berth(["volume", "rm", "data"]).code(1).says("no such volume");
    host.berth(["volume", "rm", "-f", "data"]).ok();
    host.berth(["volume", "inspect", "data"]).code(1).says("data");
    for bad in ["../x", "a/b", "-x", "a b"] {
        host.berth(["volume", "create", "--", bad]).code(1);
    }
    host.berth(["volume", "create", "--driver", "nonsense", "x"]).code(1).says("nonsense");
    host.berth(["volume", "rm", &generated]).ok();
}

#[test]
fn data_outlives_the_container_and_a_volume_in_use_stays() {
    let host = Host::with_image();
    host.berth(["run", "--name", "one", "-v", "data:/data", IMAGE, "sh", "-c", "echo kept > /data/file"]).ok();
    assert_eq!(
        host.berth(["run", "--rm", "-v", "data:/elsewhere:ro", IMAGE, "cat", "/elsewhere/file"]).ok().out(),
        "kept"
    );
    host.berth(["volume", "rm", "data"]).code(1).says("volume is in use");
    host.berth(["rm", "one"]).ok();
    host.berth(["volume", "rm", "data"]).ok();
}

#[test]
fn an_empty_volume_gets_what_the_image_has_there() {
    let host = Host::with_image();
    assert_eq!(
        host.berth(["run", "--rm", "-v", "fresh:/data", IMAGE, "cat", "/data/seed"]).ok().out(),
        "from the image"
    );
    host.berth(["run", "--rm", "-v", "fresh:/data", IMAGE, "sh", "-c", "rm /data/seed; touch /data/own"]).ok();
    assert_eq!(host.berth(["run", "--rm", "-v", "fresh:/data", IMAGE, "ls", "/data"]).ok().out(), "own");
    assert_eq!(host.berth(["run", "--rm", "-v", "bare:/data:nocopy", IMAGE, "ls", "/data"]).ok().out(), "");
    assert_eq!(
        host.berth([
            "run",
            "--rm",
            "--mount",
            "type=volume,source=bare2,target=/tmp",
            IMAGE,
            "stat",
            "-c",
            "%a",
            "/tmp"
        ])
        .ok()
        .out(),
        "1777"
    );
    host.berth(["volume", "rm", "fresh", "bare", "bare2"]).ok();
}

#[test]
fn other_users_of_the_host_do_not_reach_a_volume() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let host = Host::new();
    // As an administrator may have made it.
    std::fs::create_dir(host.root()).unwrap();
    std::fs::set_permissions(host.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    host.berth(["import", crate::harness::rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    let mode = |path: &str| host.path(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode("root"), 0o700);
    host.berth(["run", "--rm", "-v", "data:/tmp", "-u", "1000", IMAGE, "touch", "/tmp/file"]).ok();
    for (path, expected) in [("", 0o700), ("/data", 0o700), ("/data/_data", 0o1777)] {
        assert_eq!(mode(&format!("root/volumes{path}")), expected, "{path}");
    }
    let file = host.path("root/volumes/data/_data/file");
    assert!(file.exists());
    for opened in [0o755, 0o711, 0o701] {
        std::fs::set_permissions(host.root(), std::fs::Permissions::from_mode(opened)).unwrap();
        host.berth(["volume", "ls"]).ok();
        let seen = std::process::Command::new("/usr/bin/stat").arg(&file).uid(65534).gid(65534).output().unwrap();
        assert!(!seen.status.success(), "{opened:o}: {seen:?}");
    }
    host.berth(["volume", "rm", "data"]).ok();
}

#[test]
fn a_volume_that_is_half_filled_is_cleared_only_as_long_as_nobody_used_it() {
    let host = Host::with_image();
    let filling = "create.volume-filling";
    let own = |volume: &str| host.path(&format!("root/volumes/{volume}/_data/own"));
    // Used by a container that is gone again.
    host.berth_crashing(filling, ["create", "-v", "gone:/data", IMAGE, "true"]).code(-9);
    host.berth(["run", "--rm", "-v", "gone:/x:nocopy", IMAGE, "touch", "/x/own"]).ok();
    // By one that was there before.
    host.berth(["create", "--name", "idle", "-v", "kept:/x:nocopy", IMAGE, "touch", "/x/own"]).ok();
    host.berth_crashing(filling, ["create", "-v", "kept:/data", IMAGE, "true"]).code(-9);
    host.berth(["start", "-a", "idle"]).ok();
    // By nobody.
    host.berth_crashing(filling, ["create", "-v", "new:/data", IMAGE, "true"]).code(-9);
    std::fs::write(own("new"), "half").unwrap();
    for (volume, has_own) in [("gone", true), ("kept", true), ("new", false)] {
        let seen = host.berth(["run", "--rm", "-v", &format!("{volume}:/data"), IMAGE, "ls", "/data"]).ok().out();
        assert_eq!((own(volume).exists(), seen.contains("seed")), (has_own, !has_own), "{volume}: {seen}");
    }
    host.berth(["rm", "idle"]).ok();
    // An empty one is filled even if another container has it.
    host.berth(["create", "--name", "idle", "-v", "shared:/nothing", IMAGE, "true"]).ok();
    assert_eq!(host.berth(["run", "--rm", "-v", "shared:/data", IMAGE, "ls", "/data"]).ok().out(), "seed");
    host.berth(["rm", "idle"]).ok();
    host.berth(["volume", "rm", "gone", "kept", "new", "shared"]).ok();
}

#[test]
fn anonymous_volumes_go_with_rm_v() {
    let host = Host::with_image();
    host.berth(["run", "--name", "c1", "-v", "/cache", IMAGE, "touch", "/cache/x"]).ok();
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().lines().len(), 1);
    host.berth(["rm", "c1"]).ok();
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().lines().len(), 1);
    host.berth(["volume", "prune", "-f"]).ok();
    assert!(host.berth(["volume", "ls", "-q"]).ok().stdout.is_empty());
    host.berth(["run", "--name", "d1", "-v", "/cache", "-v", "named:/n", IMAGE, "true"]).ok();
    host.berth(["rm", "-v", "d1"]).ok();
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().out(), "named");
    host.berth(["volume", "rm", "named"]).ok();
}

#[test]
fn volumes_of_the_image_and_of_other_containers() {
    let host = Host::new();
    let archive = crate::harness::rootfs_archive().to_str().unwrap();
    host.berth(["import", "-c", "VOLUME /data", archive, "app"]).ok();
    host.berth(["run", "--name", "first", "app", "sh", "-c", "echo mine > /data/file"]).ok();
    assert_eq!(
        host.berth(["run", "--rm", "--volumes-from", "first", "app", "cat", "/data/file", "/data/seed"]).ok().out(),
        "mine\nfrom the image"
    );
    host.berth(["run", "--rm", "--volumes-from", "first:ro", "app", "touch", "/data/x"]).code(1);
    host.berth(["run", "--rm", "--volumes-from", "nobody", "app", "true"]).code(125).says("nobody");
    host.berth(["rm", "-v", "first"]).ok();
    assert!(host.berth(["volume", "ls", "-q"]).ok().stdout.is_empty());
}

#[test]
fn a_subpath_is_found_by_handle() {
    let host = Host::with_image();
    host.berth([
        "run",
        "--rm",
        "-v",
        "data:/d",
        IMAGE,
        "sh",
        "-c",
        "mkdir -p /d/a/b; echo deep > /d/a/b/f; ln -s /etc /d/out",
    ])
    .ok();
    let mount = "type=volume,source=data,target=/x,volume-subpath=a/b";
    assert_eq!(host.berth(["run", "--rm", "--mount", mount, IMAGE, "cat", "/x/f"]).ok().out(), "deep");
    for bad in ["../..", "/etc", "out", "missing"] {
        let mount = format!("type=volume,source=data,target=/x,volume-subpath={bad}");
        let finished = host.berth(["run", "--rm", "--mount", &mount, IMAGE, "ls", "/x"]);
        assert_ne!(finished.code, 0, "{bad}: {finished:?}");
    }
    host.berth(["volume", "rm", "data"]).ok();
}
