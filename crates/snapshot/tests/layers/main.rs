//! Layers on the real file system, as root: extraction of friendly and hostile archives, chains, crashes, two at once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]
#![allow(missing_docs)]

mod archive;

use archive::{Builder, Header, header};
use base::Kind;
use base::digest::Digest;
use rustix::fs::{FileType, Mode};
use snapshot::{Begin, Layers, Limits};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

struct Root {
    path: PathBuf,
    layers: Layers,
}

impl Root {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("snapshot-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let handle = base::file::make_directories(&path.join("root"), 0o700).unwrap();
        let layers = Layers::open(handle.as_fd(), &path.join("root")).unwrap();
        // What hostile archives aim at.
        std::fs::write(path.join("secret"), "host").unwrap();
        Self { path, layers }
    }

    fn extract(&self, archive: &[u8]) -> base::Result<Digest> {
        let content = Digest::sha256(archive);
        match self.layers.begin(&content)? {
            Begin::Extraction(extraction) => extraction.apply(&mut &archive[..], &Limits::default())?,
            other => panic!("{other:?}"),
        };
        Ok(content)
    }

    fn tree(&self, content: &Digest) -> PathBuf {
        self.path.join(format!("root/layers/sha256-{}/tree", content.hex()))
    }

    /// What is left of the layers' folder but whole layers.
    fn leftovers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path.join("root/layers")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.')).collect()
    }

    fn assert_host_unharmed(&self) {
        assert_eq!(std::fs::read_to_string(self.path.join("secret")).unwrap(), "host");
        let mut names: Vec<_> =
            std::fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["root", "secret"]);
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_layer_has_what_its_archive_says() {
    let root = Root::new("friendly");
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let archive = Builder::default()
        .directory("./", 0o755)
        .directory("tmp/", 0o1777)
        .file("tmp/a", "content")
        .hard_link("tmp/b", "tmp/a")
        .hard_link("tmp/c", "/tmp/a")
        .symlink("link", "/etc/passwd")
        .entry(&Header { mode: 0o4755, owner: 1000, ..header(b'0', "setuid") }, b"x")
        .entry(&Header { device: (1, 3), mode: 0o666, ..header(b'3', "null") }, b"")
        .entry(&header(b'6', "pipe"), b"")
        .extended(&[
            ("path", long.as_bytes()),
            ("mtime", b"12.5"),
            ("SCHILY.xattr.user.x", b"v\0w"),
            ("SCHILY.xattr.user.overlay.origin", b""),
        ])
        .file("short", "long")
        .entry(&header(b'L', "././@LongLink"), format!("gnu/{}\0", "g".repeat(150)).as_bytes())
        .file("gnu", "gnu")
        .finish();
    let tree = root.tree(&root.extract(&archive).unwrap());
    assert_eq!((mode(&tree.join("tmp")), read(&tree.join("tmp/c"))), (0o1777, "content".to_owned()));
    let meta = std::fs::metadata(tree.join("tmp/a")).unwrap();
    assert_eq!((meta.nlink(), meta.mtime()), (3, 1_000_000_000));
    assert_eq!(std::fs::metadata(tree.join("tmp")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(std::fs::read_link(tree.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!((mode(&tree.join("setuid")), std::fs::metadata(tree.join("setuid")).unwrap().uid()), (0o4755, 1000));
    let null = std::fs::metadata(tree.join("null")).unwrap();
    assert!(
        null.file_type().is_char_device() && null.rdev() == rustix::fs::makedev(1, 3) && null.mode() & 0o777 == 0o666
    );
    assert!(std::fs::metadata(tree.join("pipe")).unwrap().file_type().is_fifo());
    let long = std::fs::metadata(tree.join(long)).unwrap();
    assert_eq!((long.mtime(), long.mtime_nsec(), long.len()), (12, 500_000_000, 4));
    assert_eq!(read(&tree.join("gnu").join("g".repeat(150))), "gnu");
    assert!(root.leftovers().is_empty());
}

#[test]
fn sparse_files_of_every_format_are_made_with_holes() {
    let root = Root::new("sparse");
    let files = root.path.join("root/made");
    std::fs::create_dir(&files).unwrap();
    let file = std::fs::File::create(files.join("holes")).unwrap();
    file.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"middle", 20 << 20).unwrap();
    for format in ["--format=gnu", "--sparse-version=1.0", "--sparse-version=0.0", "--sparse-version=0.1"] {
        let mut tar = std::process::Command::new("tar");
        let posix = if format.starts_with("--sparse") { "--format=posix" } else { format };
        let output = tar.args(["-S", "-c", posix, format, "-C"]).arg(&files).arg("holes").output().unwrap();
        assert!(output.stdout.len() < 1 << 20, "{format}");
        let tree = root.tree(&root.extract(&output.stdout).unwrap());
        let made = std::fs::read(tree.join("holes")).unwrap();
        assert_eq!((made.len(), &made[20 << 20..(20 << 20) + 6]), (64 << 20, b"middle".as_slice()), "{format}");
        assert!(std::fs::metadata(tree.join("holes")).unwrap().blocks() < 1000, "{format}");
    }
}

#[test]
fn compressed_archives_are_told_by_their_bytes() {
    let root = Root::new("compressed");
    let plain = Builder::default().file("a", &"x".repeat(100_000)).finish();
    for (program, kind) in
        [("gzip", None), ("zstd", None), ("xz", Some(Kind::Unsupported)), ("bzip2", Some(Kind::Unsupported))]
    {
        let mut child = std::process::Command::new(program)
            .arg("-c")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&plain).unwrap();
        let compressed = child.wait_with_output().unwrap().stdout;
        let extraction = root.layers.begin_unknown().unwrap();
        let result = extraction.apply(&mut &compressed[..], &Limits::default());
        assert_eq!(result.as_ref().err().map(base::Error::kind), kind, "{program}");
        if let Ok(layer) = result {
            assert_eq!(layer.content, Digest::sha256(&plain));
            let cut = root
                .layers
                .begin_unknown()
                .unwrap()
                .apply(&mut &compressed[..compressed.len() - 9], &Limits::default());
            assert!(cut.is_err(), "{program} cut off");
        }
    }
    assert!(root.leftovers().is_empty(), "{:?}", root.leftovers());
}

#[test]
fn archives_that_climb_out_are_refused() {
    let root = Root::new("climb");
    let b = Builder::default;
    let table: Vec<(&str, Builder)> = vec![
        ("parent", b().file("../secret", "x")),
        ("parent in the middle", b().directory("a", 0o755).file("a/../../secret", "x")),
        ("absolute", b().file("/etc/berth-test-secret", "x")),
        ("hard link out", b().hard_link("a", "../../../../secret")),
        ("hard link to a directory", b().directory("d", 0o755).hard_link("a", "d")),
        ("file over the top", b().file(".", "x")),
        ("device that is a whiteout", b().entry(&header(b'3', "w"), b"")),
        ("whiteout of ..", b().file("a/.wh...", "")),
        ("whiteout of nothing", b().file(".wh.", "")),
        ("file in a whiteout", b().file(".wh.a/b", "")),
        ("long path by pax", b().extended(&[("path", "d/".repeat(3000).as_bytes())]).file("x", "")),
        ("deep path", b().extended(&[("path", "d/".repeat(600).as_bytes())]).file("x", "")),
        ("long name", b().extended(&[("path", "n".repeat(256).as_bytes())]).file("x", "")),
        ("zero byte", b().extended(&[("path", b"a\0b")]).file("x", "")),
        ("owner minus one", b().extended(&[("uid", b"4294967295")]).file("x", "")),
        ("unknown type", b().entry(&header(b'Z', "x"), b"")),
        ("dangling parent", b().symlink("d", "nowhere").file("d/x", "y")),
        ("file as parent", b().file("d", "").file("d/x", "y")),
    ];
    for (what, builder) in table {
        let error = root.extract(&builder.finish()).expect_err(what);
        assert_eq!(error.kind(), Kind::Invalid, "{what}: {error}");
        root.assert_host_unharmed();
        assert!(root.leftovers().is_empty(), "{what}: {:?}", root.leftovers());
    }
    assert!(!Path::new("/etc/berth-test-secret").exists());
}

#[test]
fn links_stay_inside_the_layer() {
    let root = Root::new("links");
    let secret = root.path.join("secret").display().to_string();
    let archive = Builder::default()
        .directory("etc", 0o755)
        // Written through, these would reach the host.
        .symlink("absolute", "/etc")
        .symlink("climbing", "../../../../../../etc")
        .file("absolute/one", "1")
        .file("climbing/two", "2")
        .symlink("file", &secret)
        .file("file", "layer")
        .symlink("target", &secret)
        .hard_link("linked", "target")
        .symlink("mode", &secret)
        .directory("mode", 0o777)
        .finish();
    let tree = root.tree(&root.extract(&archive).unwrap());
    assert_eq!((read(&tree.join("etc/one")), read(&tree.join("etc/two"))), ("1".to_owned(), "2".to_owned()));
    assert_eq!(read(&tree.join("file")), "layer");
    assert!(std::fs::symlink_metadata(tree.join("linked")).unwrap().is_symlink());
    assert!(tree.join("mode").is_dir() && mode(&root.path.join("secret")) == 0o644);
    root.assert_host_unharmed();
    assert!(!Path::new("/etc/one").exists() && !Path::new("/etc/two").exists());
}

#[test]
fn duplicates_take_each_others_place() {
    let root = Root::new("duplicates");
    let archive = Builder::default()
        .file("a", "first")
        .file("a", "second")
        .directory("d", 0o700)
        .file("d/x/y", "old")
        .file("d", "now a file")
        .file("e", "file")
        .directory("e", 0o711)
        .hard_link("l", "a")
        .file("l", "no link")
        .finish();
    let tree = root.tree(&root.extract(&archive).unwrap());
    let text = |name: &str| read(&tree.join(name));
    assert_eq!((text("a"), text("d"), text("l")), ("second".into(), "now a file".into(), "no link".into()));
    assert_eq!(mode(&tree.join("e")), 0o711);
}

#[test]
fn archives_that_lie_about_sizes_are_refused() {
    let root = Root::new("sizes");
    let b = Builder::default;
    let huge = Header { size: Some(8_000_000_000), ..header(b'0', "x") };
    // The ustar size hides an entry that a reader sees who believes it instead of the extended header.
    let hidden = b().file("evil", "x").finish();
    let desynchronised = b()
        .extended(&[("size", hidden.len().to_string().as_bytes())])
        .entry(&Header { size: Some(0), ..header(b'0', "data") }, &hidden);
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("cut off", b().entry(&huge, b"x").finish()),
        ("huge by pax", b().extended(&[("size", b"9223372036854775807")]).file("x", "y").finish()),
        ("negative by pax", b().extended(&[("size", b"-1")]).file("x", "y").finish()),
        ("huge extended header", b().entry(&Header { size: Some(2 << 20), ..header(b'x', "x") }, b"").finish()),
        ("garbage", vec![b'x'; 2048]),
        (
            "a map beyond the file",
            b().extended(&[("GNU.sparse.map", b"10,5"), ("GNU.sparse.size", b"3")]).file("x", "12345").finish(),
        ),
        (
            "an absurd map",
            b().extended(&[("GNU.sparse.map", b"9223372036854775807,9223372036854775807"), ("GNU.sparse.size", b"3")])
                .file("x", "1")
                .finish(),
        ),
    ];
    for (what, bytes) in table {
        let error = root.extract(&bytes).expect_err(what);
        assert!(matches!(error.kind(), Kind::Invalid | Kind::Corrupt | Kind::Exhausted), "{what}: {error}");
        assert!(root.leftovers().is_empty(), "{what}");
    }
    let tree = root.tree(&root.extract(&desynchronised.finish()).unwrap());
    assert!(!tree.join("evil").exists() && tree.join("data").metadata().unwrap().len() > 512);
}

#[test]
fn counts_are_bounded() {
    let root = Root::new("bounds");
    let archive = Builder::default().file("a", "1234").file("b", "1234").file("c", "1234").finish();
    let roomy = Limits { entries: 100, bytes: 100, ..Limits::default() };
    for limits in [Limits { entries: 2, ..roomy }, Limits { bytes: 11, ..roomy }] {
        let error = root.layers.begin_unknown().unwrap().apply(&mut &archive[..], &limits).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    assert!(root.leftovers().is_empty());
}

#[test]
fn headers_that_are_no_entries_are_counted() {
    let root = Root::new("headers");
    let limits = Limits { entries: 100, ..Limits::default() };
    let mut table: Vec<(String, Vec<u8>)> = Vec::new();
    for kind in *b"xgLK" {
        let many = (0..100).fold(Builder::default(), |builder, _| builder.entry(&header(kind, "h"), b""));
        table.push((format!("type {}", char::from(kind)), many.file("a", "").finish()));
    }
    // A sparse file of the oldest format whose map goes on and says nothing.
    let mut block = [0_u8; 512];
    block[504] = 1;
    let mut sparse = Builder::default().entry(&header(b'S', "s"), b"").finish();
    sparse.truncate(512);
    sparse[257..265].copy_from_slice(b"ustar  \0");
    sparse[482] = 1;
    sparse[483..495].copy_from_slice(b"00000000000\0");
    sparse[148..156].fill(b' ');
    let sum: u32 = sparse.iter().map(|byte| u32::from(*byte)).sum();
    sparse[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    sparse.extend(std::iter::repeat_n(block, 100).flatten());
    table.push(("a sparse map".to_owned(), sparse));
    for (what, bytes) in table {
        let error = root.layers.begin_unknown().unwrap().apply(&mut &bytes[..], &limits).expect_err(&what);
        assert!(error.to_string().contains("more than 100 entries"), "{what}: {error}");
    }
}

#[test]
fn what_is_kept_to_the_end_is_bounded() {
    let root = Root::new("kept");
    let limits = Limits { kept: 64 << 10, ..Limits::default() };
    let (b, deep, long) = (Builder::default, "d/".repeat(40), "l".repeat(90));
    let many = |add: &dyn Fn(Builder, u32) -> Builder| (0..1000).fold(b(), add).finish();
    let value = [b'x'; 100];
    let ignored = many(&|builder, at| {
        builder.extended(&[("SCHILY.xattr.security.selinux", &[b'x'; 1000])]).directory(&format!("d{}", at % 9), 0o755)
    });
    let apply = |bytes: &[u8]| root.layers.begin_unknown().unwrap().apply(&mut &bytes[..], &limits);
    for (what, bytes) in [
        ("directories", many(&|builder, at| builder.directory(&format!("d{at}-{long}"), 0o755))),
        ("links", many(&|builder, at| builder.hard_link(&format!("l{at}"), &long))),
        ("implied directories", many(&|builder, at| builder.file(&format!("{at}/{deep}f"), ""))),
        (
            "attributes",
            many(&|builder, at| {
                builder.extended(&[("SCHILY.xattr.user.a", &value)]).directory(&format!("{at}"), 0o755)
            }),
        ),
    ] {
        let error = apply(&bytes).expect_err(what);
        assert!(error.kind() == Kind::Invalid && error.to_string().contains("of memory"), "{what}: {error}");
    }
    // What is not taken is not kept.
    apply(&ignored).unwrap();
    assert!(root.leftovers().is_empty());
}

#[test]
fn a_record_that_could_not_be_read_back_is_not_written() {
    let root = Root::new("record");
    // Each byte of a name that is no text takes four of the record.
    let target: Vec<u8> = [[0xff_u8; 250].as_slice(); 15].join(&b'/');
    let mut builder = Builder::default();
    for at in 0..1200 {
        builder = builder.extended(&[("linkpath", &target)]).hard_link(&format!("l{at}"), "");
    }
    let error = root.extract(&builder.finish()).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("16777216"), "{error}");
    assert!(root.leftovers().is_empty());
}

#[test]
fn other_bytes_than_promised_do_not_count() {
    let root = Root::new("promise");
    let Begin::Extraction(extraction) = root.layers.begin(&Digest::sha256(b"other")).unwrap() else { panic!() };
    let archive = Builder::default().file("a", "x").finish();
    assert_eq!(extraction.apply(&mut &archive[..], &Limits::default()).unwrap_err().kind(), Kind::Corrupt);
    assert!(root.layers.find(&Digest::sha256(b"other")).unwrap().is_none() && root.leftovers().is_empty());
}

fn overlay(root: &Root, chain: &[Digest]) -> base::tree::Tree {
    base::tree::Tree::new(snapshot::mount_read_only(&root.layers.plan(chain).unwrap()).unwrap())
}

fn shown(tree: &base::tree::Tree, path: &str) -> Option<String> {
    let bytes = tree.read_bounded(Path::new(path), 1 << 20, base::tree::Links::Follow).unwrap()?;
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn whiteouts_hide_what_lies_below_and_only_that() {
    let root = Root::new("whiteouts");
    let below = Builder::default()
        .file("gone", "x")
        .file("kept", "x")
        .file("opaque/old", "x")
        .file("replaced/old", "x")
        .file("both/old", "x")
        .file("late/old", "x")
        .finish();
    let above = Builder::default()
        .file(".wh.gone", "")
        .directory("opaque", 0o755)
        .file("opaque/new", "y")
        .file("opaque/.wh..wh..opq", "")
        // A directory that takes the place of another: in either order.
        .file(".wh.both", "")
        .directory("both", 0o755)
        .file("both/new", "y")
        .directory("late", 0o755)
        .file("late/new", "y")
        .file(".wh.late", "")
        .file(".wh.replaced", "")
        .file("replaced/new", "y")
        .file(".wh..wh.plnk/1.2", "aufs")
        .finish();
    let chain = [root.extract(&below).unwrap(), root.extract(&above).unwrap()];
    let tree = overlay(&root, &chain);
    for (path, expected) in [
        ("gone", None),
        ("kept", Some("x")),
        ("opaque/old", None),
        ("opaque/new", Some("y")),
        ("both/old", None),
        ("both/new", Some("y")),
        ("late/old", None),
        ("late/new", Some("y")),
        ("replaced/old", None),
        ("replaced/new", Some("y")),
        (".wh..wh.plnk/1.2", None),
    ] {
        assert_eq!(shown(&tree, path).as_deref(), expected, "{path}");
    }
}

#[test]
fn a_seam_completes_what_a_layer_cannot_know() {
    let root = Root::new("seam");
    let below = Builder::default()
        .directory("tmp", 0o1777)
        .entry(&Header { mode: 0o750, owner: 33, ..header(b'5', "srv") }, b"")
        .file("srv/data", "below")
        .directory("plain", 0o755)
        .finish();
    let above = Builder::default()
        .file("tmp/a/b", "above")
        .file("plain/x", "above")
        .hard_link("linked", "srv/data")
        .hard_link("srv/deep/linked", "srv/data")
        .finish();
    let [below, above] = [root.extract(&below).unwrap(), root.extract(&above).unwrap()];
    let lower = root.layers.plan(&[below.clone(), above.clone()]).unwrap();
    assert_eq!((lower.len(), lower[1].clone()), (3, root.tree(&above)));
    let tree = overlay(&root, &[below.clone(), above.clone()]);
    let status = |path: &str| tree.status(Path::new(path), base::tree::Links::Refuse).unwrap().unwrap();
    assert_eq!(status("tmp").st_mode & 0o7777, 0o1777);
    assert_eq!((status("srv").st_mode & 0o7777, status("srv").st_uid), (0o750, 33));
    assert_eq!(status("tmp/a").st_mode & 0o7777, 0o755);
    for path in ["linked", "srv/data", "srv/deep/linked"] {
        assert_eq!(
            (shown(&tree, path).as_deref(), status(path).st_ino),
            (Some("below"), status("srv/data").st_ino),
            "{path}"
        );
    }
    // The shared layer is as it was, alone it needs nothing, and where the parents are plain there is no seam.
    assert_eq!(mode(&root.tree(&above).join("tmp")), 0o755);
    assert_eq!(root.layers.plan(std::slice::from_ref(&above)).unwrap(), [root.tree(&above)]);
    let plain = root.extract(&Builder::default().file("plain/y", "").finish()).unwrap();
    assert_eq!(root.layers.plan(&[below.clone(), plain]).unwrap().len(), 2);
    let missing = root.extract(&Builder::default().hard_link("z", "nowhere").finish()).unwrap();
    assert_eq!(root.layers.plan(&[below, missing]).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn long_chains_are_merged() {
    let root = Root::new("merged");
    let mut chain = Vec::new();
    for number in 0..510 {
        let archive = Builder::default().file("last", &number.to_string()).file(&format!("f{number}"), "x");
        let archive = if number == 5 { archive.file(".wh.f3", "") } else { archive };
        chain.push(root.extract(&archive.finish()).unwrap());
    }
    let lower = root.layers.plan(&chain).unwrap();
    assert!(lower.len() <= 500, "{}", lower.len());
    let tree = overlay(&root, &chain);
    assert_eq!(shown(&tree, "last").as_deref(), Some("509"));
    assert_eq!(
        (shown(&tree, "f0").as_deref(), shown(&tree, "f3"), shown(&tree, "f509").as_deref()),
        (Some("x"), None, Some("x"))
    );
    assert_eq!(root.layers.plan(&chain).unwrap(), lower);
}

#[test]
fn two_at_once_share_the_work() {
    let root = Root::new("shared");
    let archive = Builder::default().file("a", &"x".repeat(1 << 20)).finish();
    let content = Digest::sha256(&archive);
    let other = base::file::open_directory(&root.path.join("root")).unwrap();
    let other = Layers::open(other.as_fd(), &root.path.join("root")).unwrap();
    let Begin::Extraction(extraction) = root.layers.begin(&content).unwrap() else { panic!() };
    assert!(matches!(other.begin(&content).unwrap(), Begin::Busy));
    assert_eq!(other.collect(&BTreeSet::new()).unwrap().removed, []);
    extraction.apply(&mut &archive[..], &Limits::default()).unwrap();
    assert!(matches!(other.begin(&content).unwrap(), Begin::Present(_)));
    let done = std::sync::atomic::AtomicUsize::new(0);
    let archive = Builder::default().file("b", &"y".repeat(1 << 20)).finish();
    let content = Digest::sha256(&archive);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let handle = base::file::open_directory(&root.path.join("root")).unwrap();
                let layers = Layers::open(handle.as_fd(), &root.path.join("root")).unwrap();
                loop {
                    match layers.begin(&content).unwrap() {
                        Begin::Present(_) => return,
                        Begin::Busy => std::thread::sleep(std::time::Duration::from_millis(1)),
                        Begin::Extraction(extraction) => {
                            extraction.apply(&mut &archive[..], &Limits::default()).unwrap();
                            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 1);
    assert!(root.leftovers().is_empty(), "{:?}", root.leftovers());
}

#[test]
fn what_an_interruption_leaves_is_made_again_or_swept() {
    let root = Root::new("interrupted");
    let archive = Builder::default().file("a", "x").finish();
    let content = Digest::sha256(&archive);
    // As a killed process leaves it: half of the files, no marker, a lock file that nobody holds.
    let folder = root.path.join("root/layers");
    let half = folder.join(format!(".staging-sha256-{}/tree/half", content.hex()));
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(folder.join(format!(".lock-sha256-{}", content.hex())), "").unwrap();
    assert!(root.layers.find(&content).unwrap().is_none());
    let tree = root.tree(&root.extract(&archive).unwrap());
    assert!(tree.join("a").exists() && !tree.join("half").exists());
    std::fs::create_dir_all(&half).unwrap();
    std::fs::create_dir_all(folder.join(".stale.1.2/tree")).unwrap();
    root.layers.collect(&[content.clone()].into()).unwrap();
    assert!(root.leftovers().is_empty() && tree.exists());
    assert_eq!(root.layers.collect(&BTreeSet::new()).unwrap().removed, [content]);
    assert!(!tree.exists());
}

#[test]
fn a_layer_of_an_earlier_boot_counts_only_when_it_was_synced() {
    let root = Root::new("boot");
    let archive = Builder::default().file("a", "x").finish();
    let content = root.extract(&archive).unwrap();
    let marker = root.tree(&content).with_file_name("layer.json");
    let text = read(&marker);
    let boot = read(Path::new("/proc/sys/kernel/random/boot_id"));
    let earlier = text.replace(boot.trim(), "an-earlier-boot");
    assert_ne!(text, earlier);
    std::fs::write(&marker, &earlier).unwrap();
    assert!(root.layers.find(&content).unwrap().is_none());
    assert_eq!(root.layers.missing(std::slice::from_ref(&content)).unwrap(), std::slice::from_ref(&content));
    root.extract(&archive).unwrap();
    root.layers.settle().unwrap();
    assert!(read(&marker).contains("synced") && root.layers.find(&content).unwrap().is_some());
    std::fs::write(&marker, "{").unwrap();
    assert!(root.layers.find(&content).unwrap().is_none());
    root.extract(&archive).unwrap();
}

#[test]
fn the_probe_names_what_a_file_system_lacks() {
    let root = Root::new("probe");
    let handle = base::file::open_directory(&root.path).unwrap();
    snapshot::probe(handle.as_fd()).unwrap();
    root.assert_host_unharmed();
    let proc = base::file::open_directory(Path::new("/proc")).unwrap();
    assert!(snapshot::probe(proc.as_fd()).is_err());
    let lower = [root.path.join("root/layers"), root.path.join("root/seams")];
    let overlay = snapshot::mount_read_only(&lower).unwrap();
    let error = snapshot::probe(overlay.as_fd()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.to_string().contains("--root"), "{error}");
}

#[test]
fn trees_are_copied_with_everything() {
    let root = Root::new("copy");
    let (from, into) = (root.path.join("root/from"), root.path.join("root/into"));
    std::fs::create_dir_all(from.join("d/e")).unwrap();
    std::fs::create_dir(&into).unwrap();
    std::fs::write(from.join("d/e/f"), "content").unwrap();
    std::fs::hard_link(from.join("d/e/f"), from.join("g")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", from.join("s")).unwrap();
    let handle = base::file::open_directory(&from).unwrap();
    rustix::fs::mknodat(&handle, "p", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    rustix::fs::chmodat(&handle, "d", Mode::from_raw_mode(0o2711), rustix::fs::AtFlags::empty()).unwrap();
    let sparse = std::fs::File::create(from.join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let target = base::file::open_directory(&into).unwrap();
    let report = snapshot::copy_tree(handle, target).unwrap();
    assert_eq!((report.entries, report.bytes), (7, 7));
    assert_eq!((mode(&into.join("d")), read(&into.join("d/e/f"))), (0o2711, "content".to_owned()));
    assert_eq!(into.join("g").metadata().unwrap().ino(), into.join("d/e/f").metadata().unwrap().ino());
    assert_eq!(into.join("sparse").metadata().unwrap().len(), 1 << 40);
    assert!(std::fs::symlink_metadata(into.join("s")).unwrap().is_symlink());
}
