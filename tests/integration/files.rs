//! Bind mounts and tmpfs: sources, targets, propagation, recursive read-only.

use crate::harness::{Finished, Host, IMAGE};

#[test]
fn bind_mounts_show_the_hosts_files() {
    let host = Host::with_image();
    host.file("shared/file", "of the host\n");
    let shared = host.path("shared");
    let bind = format!("{}:/shared", shared.display());
    host.berth(["run", "--rm", "-v", &bind, IMAGE, "sh", "-c", "cat /shared/file; echo back > /shared/new"]).ok();
    assert_eq!(std::fs::read_to_string(shared.join("new")).unwrap(), "back\n");
    let read_only = format!("{bind}:ro");
    host.berth(["run", "--rm", "-v", &read_only, IMAGE, "touch", "/shared/x"]).code(1).says("Read-only file system");
    let mount = format!("type=bind,source={},target=/shared,readonly", shared.display());
    host.berth(["run", "--rm", "--mount", &mount, IMAGE, "touch", "/shared/x"]).code(1);
    let single = format!("{}:/etc/one", shared.join("file").display());
    assert_eq!(host.berth(["run", "--rm", "-v", &single, IMAGE, "cat", "/etc/one"]).ok().out(), "of the host");
}

#[test]
fn a_missing_source_is_made_by_v_and_refused_by_mount() {
    let host = Host::with_image();
    let missing = host.path("missing/deep");
    let mount = format!("type=bind,source={},target=/x", missing.display());
    host.berth(["run", "--rm", "--mount", &mount, IMAGE, "true"]).code(125).says("bind source path does not exist");
    assert!(!missing.exists());
    host.berth(["run", "--rm", "-v", &format!("{}:/x", missing.display()), IMAGE, "true"]).ok();
    assert!(missing.is_dir());
}

#[test]
fn what_cannot_be_mounted_is_said() {
    let host = Host::with_image();
    for bad in ["relative/path:/x", "/tmp:relative", "/tmp:/x:nonsense", "/tmp:/", "a:b:c:d", ":/x"] {
        host.berth(["run", "--rm", "-v", bad, IMAGE, "true"]).code(125);
    }
    for bad in [
        "type=nonsense,target=/x",
        "type=bind,target=/x",
        "type=bind,source=/tmp",
        "type=bind,source=/tmp,target=/x,nonsense=1",
        "type=tmpfs,target=/x,source=/tmp",
        "source",
        "",
    ] {
        host.berth(["run", "--rm", "--mount", bad, IMAGE, "true"]).code(125);
    }
    host.berth(["run", "--rm", "-v", "/tmp:/x", "-v", "/var:/x", IMAGE, "true"])
        .code(125)
        .says("Duplicate mount point");
    assert!(host.containers().is_empty());
}

/// Runs a script of the shell in a mount namespace of its own, in which nothing is shared. Its arguments begin with berth, on a state root that only it uses.
fn in_own_mounts(host: &Host, script: &str, arguments: &[&str]) -> Finished {
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_berth")]);
    command.arg("--root").arg(host.path("inner-root")).arg("--runroot").arg(host.path("inner-run"));
    command.args(arguments);
    crate::harness::finish(command, b"")
}

/// Starts a container for each propagation, mounts here and there, and says who sees what: what comes from the host, what comes from the container, and the
/// same below a mount that was there before.
const PROPAGATIONS: &str = r#"
set -e
berth() { "$program" --root "$root" --runroot "$runroot" "$@"; }
program=$1 root=$3 runroot=$5 folder=$6
berth import "$7" busybox > /dev/null
cd "$folder"
mkdir source private slave
mount -t tmpfs none source
mount --make-shared source
mkdir source/out source/below
mount -t tmpfs none source/below
mkdir source/below/out
all='rprivate private rslave slave rshared shared'
for one in $all; do
    mkdir "source/$one" "source/below/$one"
    berth run -d --name "$one" --cap-add SYS_ADMIN -v "$folder/source:/x:$one" busybox sleep 1000 > /dev/null
done
sees() { test -e "$1/file" && printf ' yes' || printf ' no'; }
for place in source/out source/below/out; do
    mount -t tmpfs none "$place"
    touch "$place/file"
done
for one in $all; do
    printf '%s' "$one"
    for place in /x /x/below; do
        berth exec "$one" test -e "$place/out/file" && printf ' yes' || printf ' no'
        berth exec "$one" sh -ec "mount -t tmpfs none $place/$one; touch $place/$one/file"
        sees "source${place#/x}/$one"
    done
    echo " $(berth inspect -f '{{range .Mounts}}{{.Propagation}}{{end}}' "$one")"
done
berth rm -f $all > /dev/null
mount -t tmpfs none private
mount --bind source slave
mount --make-slave slave
for place in private slave; do
    for one in rshared rslave rprivate; do
        mount="type=bind,source=$folder/$place,target=/x,bind-propagation=$one"
        echo "$place $one: $(berth run --rm --name web --mount "$mount" busybox echo runs 2>&1 | head -n 1)"
    done
done
"#;

#[test]
fn later_mounts_go_where_the_propagation_lets_them() {
    let host = Host::new();
    let (folder, archive) = (host.path("mounts"), crate::harness::rootfs_archive());
    std::fs::create_dir(&folder).unwrap();
    let arguments = [folder.to_str().unwrap(), archive.to_str().unwrap()];
    let finished = in_own_mounts(&host, PROPAGATIONS, &arguments).ok();
    let refused = |place: &str, propagation: &str, kind: &str| {
        let path = folder.join(place);
        let path = path.display();
        format!(
            "{place} {propagation}: berth: start web: path {path} is mounted on {path} but it is not a {kind} mount: \
             leave out {propagation}, or run mount --make-shared {path}"
        )
    };
    let expected = [
        // From the host, from the container; below an older mount, which only the recursive kinds change.
        "rprivate no no no no rprivate",
        "private no no yes yes private",
        "rslave yes no yes no rslave",
        "slave yes no yes no slave",
        "rshared yes yes yes yes rshared",
        "shared yes yes yes yes shared",
        &refused("private", "rshared", "shared"),
        &refused("private", "rslave", "shared or slave"),
        "private rprivate: runs",
        &refused("slave", "rshared", "shared"),
        "slave rslave: runs",
        "slave rprivate: runs",
    ];
    assert_eq!(finished.lines(), expected, "{}", finished.stderr);
}

#[test]
fn read_only_reaches_mounts_below() {
    let host = Host::with_image();
    let outer = host.path("outer");
    std::fs::create_dir_all(outer.join("inner")).unwrap();
    let script = format!("mount -t tmpfs none {inner} && exec \"$@\"", inner = outer.join("inner").display());
    let in_own_mounts = |arguments: &[&str]| in_own_mounts(&host, &script, arguments);
    in_own_mounts(&["import", crate::harness::rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    let source = outer.display();
    let run = |mount: String| in_own_mounts(&["run", "--rm", "--mount", &mount, IMAGE, "touch", "/x/inner/file"]).code;
    assert_eq!(run(format!("type=bind,source={source},target=/x")), 0);
    assert_eq!(run(format!("type=bind,source={source},target=/x,readonly")), 1);
    assert_eq!(run(format!("type=bind,source={source},target=/x,readonly,bind-recursive=writable")), 0);
    assert_eq!(run(format!("type=bind,source={source},target=/x,bind-recursive=disabled")), 0);
}

#[test]
fn tmpfs_mounts() {
    let host = Host::with_image();
    let mount = "type=tmpfs,target=/t,tmpfs-size=2m,tmpfs-mode=700";
    assert_eq!(
        host.berth([
            "run",
            "--rm",
            "--mount",
            mount,
            IMAGE,
            "sh",
            "-c",
            "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t"
        ])
        .ok()
        .out(),
        "2048\n700"
    );
    host.berth(["run", "--rm", "--tmpfs", "/t:nonsense", IMAGE, "true"]).code(125).says("nonsense");
    let seen = host.berth(["run", "--rm", "--tmpfs", "/t", IMAGE, "grep", " /t ", "/proc/self/mounts"]).ok().out();
    assert!(seen.contains("noexec") && seen.contains("nosuid") && seen.contains("nodev"), "{seen}");
}

#[test]
fn a_mount_point_is_made_in_the_containers_own_layer_only() {
    let host = Host::with_image();
    host.berth(["run", "--rm", "--tmpfs", "/new/deep/point", IMAGE, "true"]).ok();
    host.berth(["run", "--rm", IMAGE, "test", "-e", "/new"]).code(1);
}

#[test]
fn a_link_in_the_image_cannot_lead_a_mount_out() {
    let host = Host::new();
    let folder = host.path("evil");
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    std::fs::copy("/bin/busybox", folder.join("bin/sh")).unwrap();
    let outside = host.path("outside");
    std::fs::create_dir(&outside).unwrap();
    for name in ["dev", "proc", "sys", "target", "etc"] {
        std::os::unix::fs::symlink(&outside, folder.join(name)).unwrap();
    }
    let archive = host.path("evil.tar");
    let status =
        std::process::Command::new("tar").arg("-C").arg(&folder).arg("-cf").arg(&archive).arg(".").status().unwrap();
    assert!(status.success());
    host.berth(["import", archive.to_str().unwrap(), "evil"]).ok();
    host.berth(["run", "--rm", "-v", "/tmp:/target/x", "evil", "/bin/sh", "-c", "true"]);
    host.berth(["run", "--rm", "evil", "/bin/sh", "-c", "true"]);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "something was made outside of the root file system");
}
