//! Image manifests and indexes, OCI and Docker schema 2 (manifest.md, image-index.md).

use crate::media_type;
use crate::platform::Platform;
use base::digest::Digest;
use base::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest manifest or index that is read, as registries bound them.
pub const DOCUMENT_LIMIT_BYTES: u64 = 4 << 20;
/// More layers than any chain may have.
const LAYER_LIMIT: usize = 4096;
/// More entries than any index may have.
const ENTRY_LIMIT: usize = 4096;

/// What a document says of a blob: type, digest, size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The blob's media type.
    pub media_type: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's length in bytes.
    pub size: u64,
    /// What the blob is made for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free-form remarks; never interpreted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Artifact type, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor of a blob without platform and annotations.
    #[must_use]
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let media_type = media_type.to_owned();
        Self { media_type, digest, size, platform: None, annotations: BTreeMap::new(), artifact_type: None }
    }
}

/// A manifest of one image: its configuration and its layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The document's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The image's configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Free-form remarks; never interpreted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An index of manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The document's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests, in the order of preference.
    pub manifests: Vec<Descriptor>,
    /// Free-form remarks; never interpreted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// The entry that serves `wanted` best; the first of equals.
    ///
    /// Entries for `unknown/unknown` are attestations and never chosen.
    ///
    /// # Errors
    /// [`NotFound`](base::Kind::NotFound) with the platforms that there are.
    pub fn select(&self, wanted: &Platform) -> Result<&Descriptor> {
        let candidates = self.manifests.iter().filter(|entry| {
            let known = media_type::is_manifest(&entry.media_type) || media_type::is_index(&entry.media_type);
            known && entry.artifact_type.is_none()
        });
        let distance = |entry: &&Descriptor| match &entry.platform {
            Some(offered) => wanted.distance(offered),
            // Some tools write no platform into an index of a single image.
            None if self.manifests.len() == 1 => Some(u32::MAX),
            None => None,
        };
        let best = candidates.filter_map(|entry| distance(&entry).map(|distance| (distance, entry)));
        best.min_by_key(|(distance, _)| *distance).map(|(_, entry)| entry).ok_or_else(|| {
            let offered =
                self.manifests.iter().filter_map(|entry| entry.platform.as_ref()).filter(|p| p.os != "unknown");
            let offered: Vec<String> = offered.take(40).map(ToString::to_string).collect();
            Error::not_found(format!("no image for platform {wanted}; there are: {}", offered.join(", ")))
        })
    }
}

/// What a registry may answer for a reference.
// One is made per pull: boxing would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Images for several platforms.
    Index(Index),
}

/// The members by which a document shows what it is, whatever it is called.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u32>,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// Parses a manifest or an index that was served as `served_type`.
///
/// Guarantees that the document is of one kind only and agrees with the type that it was served as (CVE-2021-41190),
/// and that the numbers of its layers and entries are bounded.
///
/// # Errors
/// [`Invalid`](base::Kind::Invalid) for a document that lies about its type; [`Unsupported`](base::Kind::Unsupported) for schema 1 and for what is no image.
pub fn parse(served_type: &str, bytes: &[u8]) -> Result<Document> {
    if bytes.len() as u64 > DOCUMENT_LIMIT_BYTES {
        return Err(Error::invalid(format!("the manifest is longer than {DOCUMENT_LIMIT_BYTES} bytes")));
    }
    let shape: Shape = serde_json::from_slice(bytes).context("the manifest is no valid JSON").map_err(as_invalid)?;
    let served_type = served_type.split(';').next().unwrap_or_default().trim();
    let schema1 =
        [media_type::DOCKER_MANIFEST_SCHEMA1, media_type::DOCKER_MANIFEST_SCHEMA1_SIGNED].contains(&served_type);
    if schema1 || shape.fs_layers.is_some() || shape.schema_version == Some(1) {
        return Err(Error::unsupported(
            "the image has a manifest of Docker's schema 1, which is obsolete: push it again with a current tool",
        ));
    }
    let own_type = shape.media_type.as_deref();
    // Registries that know no better serve documents as plain JSON.
    let generic = ["application/json", "application/octet-stream", "text/plain", ""].contains(&served_type);
    let claimed = if generic { own_type.unwrap_or(served_type) } else { served_type };
    if own_type.is_some_and(|own| own != claimed) {
        return Err(Error::invalid(format!(
            "the manifest is served as {claimed:?} and calls itself {:?}",
            own_type.unwrap_or_default()
        )));
    }
    let image = shape.config.is_some() || shape.layers.is_some();
    match (media_type::is_manifest(claimed), media_type::is_index(claimed), image, shape.manifests.is_some()) {
        (_, _, true, true) => Err(Error::invalid("the manifest claims to be an image and an index at once")),
        (true, _, true, _) => parse_manifest(bytes).map(Document::Manifest),
        (_, true, _, true) => parse_index(bytes).map(Document::Index),
        (false, false, true, _) if generic => parse_manifest(bytes).map(Document::Manifest),
        (false, false, _, true) if generic => parse_index(bytes).map(Document::Index),
        (false, false, ..) => Err(Error::unsupported(format!("{claimed:?} is not an image's manifest"))),
        _ => Err(Error::invalid(format!("the manifest is not what its media type {claimed:?} says"))),
    }
}

fn parse_manifest(bytes: &[u8]) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_slice(bytes).context("malformed image manifest").map_err(as_invalid)?;
    if manifest.schema_version != 2 {
        return Err(Error::unsupported(format!("manifest schema version {} is not known", manifest.schema_version)));
    }
    if manifest.layers.len() > LAYER_LIMIT {
        return Err(Error::invalid(format!("the image has {} layers, more than {LAYER_LIMIT}", manifest.layers.len())));
    }
    if !media_type::is_config(&manifest.config.media_type) {
        return Err(Error::unsupported(format!(
            "the manifest describes {:?}, not a container image",
            manifest.config.media_type
        )));
    }
    if let Some(layer) = manifest.layers.iter().find(|layer| media_type::layer_compression(&layer.media_type).is_none())
    {
        return Err(Error::unsupported(format!(
            "layer {} has the unknown media type {:?}",
            layer.digest.short(),
            layer.media_type
        )));
    }
    Ok(manifest)
}

fn parse_index(bytes: &[u8]) -> Result<Index> {
    let index: Index = serde_json::from_slice(bytes).context("malformed image index").map_err(as_invalid)?;
    if index.schema_version != 2 {
        return Err(Error::unsupported(format!("index schema version {} is not known", index.schema_version)));
    }
    if index.manifests.len() > ENTRY_LIMIT {
        return Err(Error::invalid(format!(
            "the index has {} entries, more than {ENTRY_LIMIT}",
            index.manifests.len()
        )));
    }
    Ok(index)
}

fn as_invalid(error: Error) -> Error {
    error.with_kind(base::Kind::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(own_type: &str, layer_type: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{own_type}","config":{{"mediaType":"{}","digest":"{DIGEST}","size":2}},"layers":[{{"mediaType":"{layer_type}","digest":"{DIGEST}","size":3}}]}}"#,
            media_type::OCI_CONFIG
        )
    }

    #[test]
    fn parses_manifests_as_served() {
        let text = manifest(media_type::OCI_MANIFEST, media_type::OCI_LAYER_GZIP);
        for served in
            [media_type::OCI_MANIFEST, "application/vnd.oci.image.manifest.v1+json; charset=utf-8", "application/json"]
        {
            let Document::Manifest(parsed) = parse(served, text.as_bytes()).unwrap() else { panic!() };
            assert_eq!(parsed.layers[0].size, 3);
        }
    }

    #[test]
    fn refuses_documents_that_lie_about_their_type() {
        let text = manifest(media_type::OCI_MANIFEST, media_type::OCI_LAYER);
        let both = text.replacen('{', r#"{"manifests":[],"#, 1);
        for (served, text, kind) in [
            (media_type::OCI_INDEX, text.as_str(), Kind::Invalid),
            (media_type::DOCKER_MANIFEST, &text, Kind::Invalid),
            (media_type::OCI_MANIFEST, &both, Kind::Invalid),
            (media_type::OCI_MANIFEST, "{}", Kind::Invalid),
            (media_type::OCI_MANIFEST, "[", Kind::Invalid),
            ("text/html", &text, Kind::Invalid),
            (media_type::DOCKER_MANIFEST_SCHEMA1_SIGNED, r#"{"schemaVersion":1,"fsLayers":[]}"#, Kind::Unsupported),
            (media_type::OCI_MANIFEST, &manifest(media_type::OCI_MANIFEST, "application/x-evil"), Kind::Unsupported),
        ] {
            assert_eq!(parse(served, text.as_bytes()).unwrap_err().kind(), kind, "{served} {text}");
        }
    }

    #[test]
    fn selects_the_best_platform() {
        let entry = |platform: &str, size| Descriptor {
            platform: platform.parse().ok(),
            ..Descriptor::new(media_type::OCI_MANIFEST, DIGEST.parse().unwrap(), size)
        };
        let manifests = vec![entry("linux/arm/v6", 1), entry("linux/arm/v7", 2), entry("linux/amd64", 3)];
        let index = Index { schema_version: 2, media_type: None, manifests, annotations: BTreeMap::new() };
        assert_eq!(index.select(&"linux/arm/v7".parse().unwrap()).unwrap().size, 2);
        assert_eq!(index.select(&"linux/amd64".parse().unwrap()).unwrap().size, 3);
        let error = index.select(&"linux/riscv64".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("linux/arm/v6"), "{error}");
    }
}
