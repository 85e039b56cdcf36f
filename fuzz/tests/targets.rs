//! The fuzz targets: everything that parses bytes which an image, a registry, a client or a container controls.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_debug_implementations, missing_docs)]

#[path = "targets/resolver.rs"]
mod resolver;
mod scratch;

use api::{Filters, InProcess, Method, Query, Request, RequestBody, Transport};
use base::tree::{Links, Tree};
use fuzz::{Depth, Random, Target, archive, document, fuzz, table};
use oci::config::ImageConfig;
use oci::reference::Reference;
use scratch::Scratch;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const JSON: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"\"mediaType\"",
    b"\"digest\"",
    b"\"size\"",
    b"\\u0000",
    b"\xff",
];

pub fn unchanged(_input: &mut Vec<u8>) {}

pub fn shapeless(_input: &mut Vec<u8>, _other: &[u8], _random: &mut Random) {}

fn depth<T, E>(result: Result<T, E>) -> Depth {
    if result.is_ok() { Depth::Parsed } else { Depth::Refused }
}

#[test]
fn reference() {
    fuzz(Target {
        name: "reference",
        dictionary: &[
            b"/",
            b":",
            b"@",
            b"sha256:",
            b"docker.io",
            b"localhost",
            b"[::1]",
            b"..",
            b"__",
            b"\0",
            b"library/",
        ],
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Depth::Refused };
            let parsed: Result<Reference, _> = text.parse();
            if let Ok(reference) = &parsed {
                // The full form means the same, and nothing in it can climb out of a path.
                assert_eq!(reference.to_string().parse::<Reference>().ok().as_ref(), Some(reference));
                assert!(!reference.name().split('/').any(|part| part.is_empty() || part == ".."));
            }
            depth(parsed)
        },
    });
}

#[test]
fn manifest() {
    fuzz(Target {
        name: "manifest",
        dictionary: &JSON,
        reshape: document::reshape,
        repair: unchanged,
        run: &mut |input| {
            let served = [
                oci::media_type::OCI_MANIFEST,
                oci::media_type::OCI_INDEX,
                oci::media_type::DOCKER_MANIFEST,
                "application/json",
            ];
            let mut deepest = Depth::Refused;
            for media_type in served {
                if let Ok(document) = oci::manifest::parse(media_type, input) {
                    deepest = Depth::Parsed;
                    if let oci::manifest::Document::Index(index) = document {
                        let _ = index.select(&oci::platform::Platform::host());
                    }
                }
            }
            deepest
        },
    });
}

#[test]
fn image_config() {
    fuzz(Target {
        name: "image_config",
        dictionary: &JSON,
        reshape: document::reshape,
        repair: unchanged,
        run: &mut |input| depth(ImageConfig::parse(input)),
    });
}

/// What a hostile archive aims at lies beside the tree: whatever happens, only the tree changes.
#[test]
fn tar_apply() {
    let scratch = Scratch::new("tar");
    let limits = snapshot::Limits { entries: 2000, bytes: 64 << 20, kept: 1 << 20 };
    fuzz(Target {
        name: "tar_apply",
        dictionary: &[
            b"ustar\x0000",
            b"ustar  \0",
            b"../outside",
            b"/outside",
            b".wh.",
            b".wh..wh..opq",
            b"27 path=../../outside/taken\n",
            b"19 linkpath=/outside\n",
            b"22 GNU.sparse.major=1\n",
            b"22 GNU.sparse.minor=0\n",
            b"30 SCHILY.xattr.user.a=1234567\n",
            b"20 size=99999999999\n",
            b"12 mtime=-1\n",
        ],
        reshape: archive::reshape,
        repair: archive::repair,
        run: &mut |input| {
            let tree = scratch.empty("tree");
            let applied = snapshot::apply(tree, &mut &input[..], &limits);
            scratch.assert_outside_is_whole();
            match applied {
                Ok(extracted) => {
                    assert!(extracted.entries <= limits.entries && extracted.bytes <= limits.bytes);
                    assert!(extracted.implied.iter().all(|path| !path.starts_with(b"/") && !path.is_empty()));
                    if extracted.entries > 0 { Depth::Parsed } else { Depth::Refused }
                }
                // A file was made before the mistake: the header was understood.
                Err(_) if scratch.has_entries("tree") => Depth::Parsed,
                Err(_) => Depth::Refused,
            }
        },
    });
}

#[test]
fn decompress() {
    const LIMIT: u64 = 8 << 20;
    fuzz(Target {
        name: "decompress",
        dictionary: &[
            b"\x1f\x8b\x08",
            b"\x1f\x8b\x08\x04\0\0\0\0\0\x03",
            b"\x28\xb5\x2f\xfd",
            b"\x50\x2a\x4d\x18\x04\0\0\0",
            b"BZh9",
            b"\xfd7zXZ\0",
            b"\xff\xff\xff\xff",
        ],
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let counted = snapshot::count_decompressed(&mut &input[..], LIMIT);
            assert!(counted.as_ref().is_ok_and(|bytes| *bytes <= LIMIT) || counted.is_err());
            depth(counted)
        },
    });
}

/// A request to an engine without images: the line, then the body. Whatever is asked, there is an answer.
#[test]
fn api_request() {
    let scratch = Scratch::new("api");
    let options = engine::Options {
        root: scratch.path("root"),
        runroot: scratch.path("run"),
        configuration: engine::Configuration::default(),
        configuration_file: None,
        binary: "/bin/true".into(),
    };
    let engine = InProcess::new(engine::Engine::open(options).unwrap());
    fuzz(Target {
        name: "api_request",
        dictionary: &[
            b"GET /",
            b"POST /",
            b"DELETE /",
            b"/v1.41/",
            b"/v1.9999/",
            b"/containers/",
            b"/json?",
            b"&all=1",
            b"&limit=-1",
            b"&filters={\"label\":{\"a=b\":true}}",
            b"%00",
            b"%2e%2e%2f",
            b"%zz",
            b"&since=99999999999.999999999",
            b"&signal=SIGRTMAX+99",
            b"\n",
        ],
        reshape: reshape_body,
        repair: unchanged,
        run: &mut |input| {
            let Some(request) = request(input) else { return Depth::Refused };
            let response = engine.send(request).unwrap();
            assert!((200..=599).contains(&response.status), "{}", response.status);
            // The page that is not there is the first parser's answer.
            if response.status == 404
                && matches!(response.body, api::ResponseBody::Bytes(ref body) if body.windows(9).any(|part| part == b"page not "))
            {
                return Depth::Refused;
            }
            Depth::Parsed
        },
    });
}

/// Reads `METHOD /path?query`, a line break and a body. What would speak to a registry is left out.
fn request(input: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(input).ok()?;
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let (method, target) = line.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = Method::parse(method)?;
    if method == Method::Post && path.contains("images/") {
        return None;
    }
    let mut request = Request::new(method, path);
    request.query = Query::parse(query).ok()?;
    assert_eq!(Query::parse(&request.query.encode()).ok().as_ref(), Some(&request.query));
    request.headers.add("Content-Type", "application/json");
    request.body = RequestBody::Bytes(body.as_bytes().to_vec());
    Some(request)
}

fn reshape_body(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let body = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |line| line + 1);
    let mut own = input.split_off(body(input));
    document::reshape(&mut own, &other[body(other)..], random);
    input.extend(own);
}

#[test]
fn api_filters() {
    fuzz(Target {
        name: "api_filters",
        dictionary: &JSON,
        reshape: document::reshape,
        repair: unchanged,
        run: &mut |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Depth::Refused };
            let parsed = Filters::parse(text);
            if let Ok(filters) = &parsed {
                let again = Filters::parse(&filters.encode()).unwrap();
                assert_eq!(filters.encode(), again.encode());
            }
            depth(parsed)
        },
    });
}

/// A template, a line break, and what it is applied to.
#[test]
fn template() {
    fuzz(Target {
        name: "template",
        dictionary: &[
            b"{{",
            b"}}",
            b"{{json .}}",
            b"{{range .}}",
            b"{{range $i, $e := .A}}",
            b"{{if .A}}",
            b"{{else}}",
            b"{{end}}",
            b"{{with .A}}",
            b"{{printf \"%*d%v%s\" . .}}",
            b"{{slice .A 0 99}}",
            b"{{truncate .A -1}}",
            b"{{pad .A 99999999 1}}",
            b"{{index .A 5}}",
            b"{{len .A}}",
            b"{{join .A \",\"}}",
            b"{{split .A \"\"}}",
            b"{{- ",
            b" -}}",
            b"{{define \"x\"}}",
            b"{{template \"x\" .}}",
            b"| upper",
            b"((((",
            b"\xc3\xa4",
        ],
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Depth::Refused };
            let (format, json) = text.rsplit_once('\n').unwrap_or((text, "{}"));
            match cli::render(format, json) {
                Err(error) if error.to_string().contains("executing") => Depth::Parsed,
                rendered => depth(rendered),
            }
        },
    });
}

#[test]
fn engine_configuration() {
    fuzz(Target {
        name: "engine_configuration",
        dictionary: &JSON,
        reshape: document::reshape,
        repair: unchanged,
        run: &mut |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Depth::Refused };
            match engine::Configuration::parse(text) {
                Ok(parsed) if parsed != engine::Configuration::default() => Depth::Parsed,
                _ => Depth::Refused,
            }
        },
    });
}

/// What registries and the files about them say: one letter says which parser it is for.
#[test]
fn registry() {
    fuzz(Target {
        name: "registry",
        dictionary: &[
            b"Bearer ",
            b"Basic ",
            b"realm=\"https://x/\"",
            b",service=",
            b"\"",
            b"\\",
            b"http://",
            b"//other/",
            b"@",
            b"[::1]:",
            b"?a=b#c",
            b"..",
            b"[host.\"",
            b"[[registry]]\n",
            b"server = ",
            b"capabilities = []",
            b"{\"insecure-registries\":[",
        ],
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Depth::Refused };
            let Some((which, text)) = text.split_at_checked(1) else { return Depth::Refused };
            let understood = match which {
                "c" => registry::fuzzing::challenge(text),
                "l" => registry::fuzzing::redirect("https://registry.example:5000/v2/a/blobs/", text),
                _ => registry::fuzzing::hosts(text),
            };
            if understood { Depth::Parsed } else { Depth::Refused }
        },
    });
}

/// What a supervisor reads from its socket.
#[test]
fn supervisor_message() {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use supervisor::protocol::{MESSAGE_LIMIT, Reply, Request, receive};
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    fuzz(Target {
        name: "supervisor_message",
        dictionary: &JSON,
        reshape: document::reshape,
        repair: unchanged,
        run: &mut |input| {
            let input = &input[..input.len().min(MESSAGE_LIMIT)];
            if input.is_empty() {
                return Depth::Refused;
            }
            let mut deepest = Depth::Refused;
            rustix::io::write(&ours, input).unwrap();
            if let Ok(Some(_)) = receive::<Request>(theirs.as_fd()) {
                deepest = Depth::Parsed;
            }
            rustix::io::write(&ours, input).unwrap();
            if let Ok(Some((reply, _))) = receive::<Reply>(theirs.as_fd()) {
                let _ = reply.into_result();
                deepest = Depth::Parsed;
            }
            deepest
        },
    });
}

/// A path of an image's or a container's: whatever it says, and whatever links lie on its way, it ends in the tree.
#[test]
fn tree_paths() {
    let scratch = Scratch::new("paths");
    fuzz(Target {
        name: "tree_paths",
        dictionary: &[b"..", b"/", b"link", b"absolute", b"loop", b"up", b"dir", b"proc/self/root", b"\0", b"./"],
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let tree = Tree::new(scratch.with_links("tree"));
            let path = Path::new(OsStr::from_bytes(input));
            let made = tree.make_directories(path, 0o755, Links::Follow);
            if let Ok(made) = &made {
                scratch.assert_below("tree", made.as_fd());
            }
            for links in [Links::Follow, Links::Refuse] {
                if let Ok(Some(found)) = tree.locate(path, links) {
                    scratch.assert_below("tree", found.as_fd());
                }
            }
            scratch.assert_outside_is_whole();
            depth(made)
        },
    });
}

/// A user and additional groups, a line each, then an image's passwd file up to an empty line, then its group file.
#[test]
fn user() {
    const NUMBERS: std::ops::RangeInclusive<u32> = 0..=0x7fff_ffff;
    fuzz(Target {
        name: "user",
        dictionary: &[
            b":",
            b",",
            b"\n",
            b"\n\n",
            b"#",
            b"+",
            b"-1",
            b"4294967295",
            b"2147483648",
            b"root",
            b"web",
            b"\r",
        ],
        reshape: table::reshape,
        repair: unchanged,
        run: &mut |input| {
            let text = String::from_utf8_lossy(input);
            let mut lines = text.splitn(3, '\n');
            let (Some(user), Some(additional), Some(files)) = (lines.next(), lines.next(), lines.next()) else {
                return Depth::Refused;
            };
            let additional: Vec<String> = additional.split_whitespace().map(str::to_owned).collect();
            let (passwd, group) = files.split_once("\n\n").unwrap_or((files, ""));
            let found = runtime::user_of(user, &additional, passwd, group);
            if let Ok((uid, groups)) = &found {
                assert!(NUMBERS.contains(uid) && groups.iter().all(|gid| NUMBERS.contains(gid)));
                let distinct: std::collections::BTreeSet<_> = groups.iter().collect();
                assert!(distinct.len() == groups.len() && (1..=65_536).contains(&groups.len()));
                // A number is itself, whatever the files say.
                let name = user.split(':').next().unwrap_or_default();
                assert!(name.parse::<u32>().is_ok_and(|number| number == *uid) || name.parse::<u32>().is_err());
                assert!(additional.iter().filter_map(|group| group.parse().ok()).all(|gid: u32| groups.contains(&gid)));
            }
            depth(found)
        },
    });
}
