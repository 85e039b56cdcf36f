//! The documents of an image, from what a reference names down to its configuration.

use base::digest::Digest;
use base::{Error, Kind, Result};
use oci::config::{CONFIG_LIMIT_BYTES, ImageConfig};
use oci::manifest::{Descriptor, Document, Manifest};
use oci::media_type;
use oci::platform::Platform;
use oci::reference::Reference;
use registry::{Repository, Selector, ServedManifest};

/// An index may lead to another one, but not for ever.
const DEPTH_LIMIT: usize = 4;

/// An image's documents, each verified against the digest by which the one before names it.
#[derive(Debug)]
pub(super) struct Documents {
    /// What the reference names, down to the manifest: an index or several, then the manifest.
    pub(super) chain: Vec<ServedManifest>,
    pub(super) manifest: Manifest,
    /// The configuration's bytes as they came.
    pub(super) config_bytes: Vec<u8>,
    pub(super) config: ImageConfig,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// As it is stored at the registry.
    pub(super) blob: Descriptor,
    /// The digest of its archive before compression.
    pub(super) content: Digest,
}

impl Documents {
    /// The document that the reference names.
    pub(super) fn named(&self) -> &ServedManifest {
        &self.chain[0]
    }

    /// The manifest of the image itself.
    pub(super) fn image(&self) -> &ServedManifest {
        &self.chain[self.chain.len() - 1]
    }

    /// The image's layers, lowest first.
    pub(super) fn layers(&self) -> Vec<Layer> {
        let contents = self.config.rootfs.diff_ids.iter().cloned();
        let blobs = self.manifest.layers.iter().cloned();
        blobs.zip(contents).map(|(blob, content)| Layer { blob, content }).collect()
    }
}

/// Gets the manifest that `which` names for the wanted platform, and the indexes on the way to it. `get` gets one document; what an index says of it comes with it.
pub(super) fn find(
    which: &Selector,
    wanted: Option<&Platform>,
    get: &dyn Fn(&Selector, Option<&Descriptor>) -> Result<ServedManifest>,
) -> Result<(Vec<ServedManifest>, Manifest)> {
    let host = Platform::host();
    let mut chain = vec![get(which, None)?];
    loop {
        let served = &chain[chain.len() - 1];
        let index = match oci::manifest::parse(&served.media_type, &served.bytes)? {
            Document::Manifest(manifest) => return Ok((chain, manifest)),
            Document::Index(index) => index,
        };
        if chain.len() == DEPTH_LIMIT {
            return Err(Error::invalid(format!("more than {DEPTH_LIMIT} indexes lead from one to the next")));
        }
        let entry = index.select(wanted.unwrap_or(&host))?;
        let next = get(&Selector::Digest(entry.digest.clone()), Some(entry))?;
        if next.bytes.len() as u64 != entry.size {
            return Err(Error::corrupt(format!(
                "manifest {} has {} bytes where the index says {}",
                entry.digest.short(),
                next.bytes.len(),
                entry.size
            )));
        }
        // What the index calls it counts: a registry's header is not covered by any digest (CVE-2021-41190).
        chain.push(ServedManifest { media_type: entry.media_type.clone(), ..next });
    }
}

/// Completes the documents of an image by its configuration, which may be there already.
pub(super) fn complete(
    (chain, manifest): (Vec<ServedManifest>, Manifest),
    config_bytes: Vec<u8>,
    wanted: Option<&Platform>,
) -> Result<Documents> {
    let config = ImageConfig::parse(&config_bytes)?;
    let (layers, contents) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != contents {
        return Err(Error::corrupt(format!("the manifest has {layers} layers and the configuration {contents}")));
    }
    check_platform(&config, wanted)?;
    Ok(Documents { chain, manifest, config_bytes, config })
}

/// The configuration's bytes from the registry.
pub(super) fn fetch_config(repository: &Repository<'_>, manifest: &Manifest) -> Result<Vec<u8>> {
    if !media_type::is_config(&manifest.config.media_type) {
        return Err(Error::unsupported(format!("{:?} is no container image", manifest.config.media_type)));
    }
    repository.small_blob(&manifest.config, CONFIG_LIMIT_BYTES)
}

/// A platform that was asked for is what comes; one that nobody asked for may differ, as with Docker.
fn check_platform(config: &ImageConfig, wanted: Option<&Platform>) -> Result<()> {
    let variant = Some(config.variant.clone()).filter(|variant| !variant.is_empty());
    let actual =
        Platform { architecture: config.architecture.clone(), os: config.os.clone(), variant, os_version: None };
    match wanted {
        Some(wanted) if wanted.distance(&actual).is_none() => Err(Error::not_found(format!(
            "the image does not match the wanted platform: wanted {wanted}, it is made for {actual}"
        ))),
        _ if actual.os != "linux" && !actual.os.is_empty() => {
            Err(Error::unsupported(format!("the image is made for {actual}, and this engine runs linux")))
        }
        _ => Ok(()),
    }
}

/// What a failed look for a manifest means to whoever typed the reference.
pub(super) fn explain(error: Error, reference: &Reference) -> Error {
    match error.kind() {
        Kind::NotFound => error.context(format!("manifest for {} not found", reference.familiar())),
        Kind::Denied | Kind::Unauthenticated => error.context(format!(
            "pull access denied for {}, repository does not exist or may require 'docker login'",
            reference.familiar_name()
        )),
        // The registry client names the repository; what documents say is judged without knowing whose they are.
        Kind::Corrupt | Kind::Invalid | Kind::Unsupported => error.context(format!("pull {}", reference.familiar())),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::manifest::Index;

    fn served(media_type: &str, bytes: Vec<u8>) -> ServedManifest {
        ServedManifest { media_type: media_type.to_owned(), digest: Digest::sha256(&bytes), bytes }
    }

    fn manifest() -> ServedManifest {
        let blob = |media_type: &str| Descriptor::new(media_type, Digest::sha256(b"x"), 1);
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            config: blob(media_type::OCI_CONFIG),
            layers: vec![blob(media_type::OCI_LAYER_GZIP)],
            annotations: std::collections::BTreeMap::new(),
        };
        served(media_type::OCI_MANIFEST, serde_json::to_vec(&manifest).unwrap())
    }

    fn index_of(child: &ServedManifest, size: u64) -> ServedManifest {
        let entry = Descriptor {
            platform: Some(Platform::host()),
            ..Descriptor::new(&child.media_type, child.digest.clone(), size)
        };
        let index = Index {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            manifests: vec![entry],
            annotations: std::collections::BTreeMap::new(),
        };
        served(media_type::OCI_INDEX, serde_json::to_vec(&index).unwrap())
    }

    fn look(all: &[ServedManifest]) -> Result<(Vec<ServedManifest>, Manifest)> {
        let get = |which: &Selector, _: Option<&Descriptor>| match which {
            Selector::Tag(_) => Ok(all[0].clone()),
            Selector::Digest(digest) => Ok(all.iter().find(|one| one.digest == *digest).unwrap().clone()),
        };
        find(&Selector::Tag("latest".to_owned()), None, &get)
    }

    #[test]
    fn an_index_leads_to_the_image() {
        let image = manifest();
        let index = index_of(&image, image.bytes.len() as u64);
        let (chain, found) = look(&[index.clone(), image.clone()]).unwrap();
        assert_eq!((chain.len(), found.layers.len()), (2, 1));
        assert_eq!(chain[1].digest, image.digest);
        let wrong = index_of(&image, 7);
        assert_eq!(look(&[wrong, image]).unwrap_err().kind(), Kind::Corrupt);
    }

    #[test]
    fn indexes_do_not_lead_on_for_ever() {
        let mut all = vec![manifest()];
        for _ in 0..DEPTH_LIMIT {
            let next = index_of(&all[0], all[0].bytes.len() as u64);
            all.insert(0, next);
        }
        assert!(look(&all).unwrap_err().to_string().contains("indexes"));
        assert!(look(&all[1..]).is_ok());
    }

    #[test]
    fn manifest_and_configuration_agree() {
        let image = manifest();
        let (chain, found) = look(std::slice::from_ref(&image)).unwrap();
        let config = |layers: usize, architecture: &str| {
            let digests = vec![Digest::sha256(b"content").to_string(); layers];
            format!(
                r#"{{"os":"linux","architecture":"{architecture}","rootfs":{{"type":"layers","diff_ids":{}}}}}"#,
                serde_json::to_string(&digests).unwrap()
            )
            .into_bytes()
        };
        let with = |bytes: Vec<u8>, wanted: Option<&str>| {
            let wanted = wanted.map(|text| text.parse().unwrap());
            complete((chain.clone(), found.clone()), bytes, wanted.as_ref())
        };
        assert_eq!(with(config(1, "amd64"), None).unwrap().layers().len(), 1);
        assert_eq!(with(config(2, "amd64"), None).unwrap_err().kind(), Kind::Corrupt);
        assert_eq!(with(config(1, "arm64"), Some("linux/amd64")).unwrap_err().kind(), Kind::NotFound);
    }
}
