//! The fuzz targets: everything that parses bytes which an image, a registry, a client or a container controls.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use fuzz::{Depth, Target, fuzz};
use oci::config::ImageConfig;
use oci::reference::Reference;

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

fn unchanged(_input: &mut Vec<u8>) {}

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
        repair: unchanged,
        run: &mut |input| depth(ImageConfig::parse(input)),
    });
}
