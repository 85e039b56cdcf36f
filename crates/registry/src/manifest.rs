//! Manifests and indexes: got, looked at and put.

use crate::exchange::Payload;
use crate::repository::{Access, Named, Repository, Request, Server, Target};
use base::digest::{Digest, Hasher};
use base::{Error, Result};
use oci::manifest::{DOCUMENT_LIMIT_BYTES, Descriptor};
use oci::media_type;
use ureq::http::Method;

/// Which manifest of a repository is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one that a tag names now.
    Tag(String),
    /// The one with a digest.
    Digest(Digest),
}

impl Selector {
    fn path(&self) -> String {
        match self {
            Self::Tag(tag) => format!("manifests/{tag}"),
            Self::Digest(digest) => format!("manifests/{digest}"),
        }
    }

    fn named(&self) -> Named {
        match self {
            Self::Tag(_) => Named::ByTag,
            Self::Digest(_) => Named::ByDigest,
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => write!(formatter, ":{tag}"),
            Self::Digest(digest) => write!(formatter, "@{digest}"),
        }
    }
}

/// A manifest or an index as a registry served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedManifest {
    /// What the registry calls it. Whether the document agrees is for [`oci::manifest::parse`] to say.
    pub media_type: String,
    /// The digest of `bytes`: the one that was asked for, where one was.
    pub digest: Digest,
    /// The document.
    pub bytes: Vec<u8>,
}

impl Repository<'_> {
    /// Gets a manifest or an index. Its bytes have the digest that is returned, and the one that was asked for.
    ///
    /// # Errors
    /// `NotFound`, `Unauthenticated`, `Denied`, `Unavailable`; `Corrupt` for one that is too long or has another digest.
    pub fn manifest(&self, which: &Selector) -> Result<ServedManifest> {
        let what = format!("get the manifest of {}{which}", self.name);
        self.pull(which.named(), |server| self.manifest_from(server, which, &what))
    }

    fn manifest_from(&self, server: &Server, which: &Selector, what: &str) -> Result<ServedManifest> {
        let mut made = 0;
        loop {
            made += 1;
            let answer = self.send(server, &manifest_request(Method::GET, &which.path(), &accept(), what))?;
            if !answer.is_success() {
                return Err(answer.refusal(what));
            }
            let media_type = answer.header("content-type").unwrap_or_default().to_owned();
            let said = answer.header("docker-content-digest").map(str::to_owned);
            match answer.read_bounded(DOCUMENT_LIMIT_BYTES) {
                Ok(bytes) => {
                    return served(which, media_type, said.as_deref(), bytes).map_err(|error| error.context(what));
                }
                Err(trouble) => match self.shared.options.patience.wait(made, trouble.failure) {
                    Some(wait) => self.pause(wait, what, &trouble.error)?,
                    None => return Err(trouble.error.context(what)),
                },
            }
        }
    }

    /// What the registry says of a manifest without sending it; nothing where it does not say enough, or has no such manifest.
    ///
    /// It is only said: whoever relies on it gets the manifest.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied`, `Unavailable`.
    pub fn look_up(&self, which: &Selector) -> Result<Option<Descriptor>> {
        let what = format!("look up {}{which}", self.name);
        self.pull(which.named(), |server| {
            let answer = self.send(server, &manifest_request(Method::HEAD, &which.path(), &accept(), &what))?;
            if answer.status == 404 {
                return if server.endpoint.is_mirror { Err(answer.refusal(&what)) } else { Ok(None) };
            }
            if !answer.is_success() {
                return Err(answer.refusal(&what));
            }
            let digest = answer.header("docker-content-digest").and_then(|text| text.parse().ok());
            let media_type = answer.header("content-type").unwrap_or_default();
            Ok(digest.map(|digest| Descriptor::new(media_type, digest, answer.content_length().unwrap_or(0))))
        })
    }

    /// Puts a manifest or an index, and returns its digest. What it describes must be there already.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied`, `Unavailable`; `Invalid` for a document that the registry refuses.
    pub fn put_manifest(&self, which: &Selector, media_type: &str, bytes: &[u8]) -> Result<Digest> {
        let what = format!("put the manifest of {}{which}", self.name);
        let headers = [("content-type", media_type.to_owned())];
        let path = which.path();
        let request = Request {
            what: &what,
            method: Method::PUT,
            target: Target::Path(&path),
            headers: &headers,
            payload: Payload::Bytes(bytes),
            access: Access::Push,
        };
        let answer = self.send(self.registry(), &request)?;
        if !answer.is_success() {
            return Err(answer.refusal(&what));
        }
        Ok(Digest::sha256(bytes))
    }
}

fn accept() -> [(&'static str, String); 1] {
    [("accept", media_type::DOCUMENTS.join(", "))]
}

fn manifest_request<'a>(
    method: Method,
    path: &'a str,
    headers: &'a [(&'static str, String)],
    what: &'a str,
) -> Request<'a> {
    Request { what, method, target: Target::Path(path), headers, payload: Payload::None, access: Access::Pull }
}

/// Compares what came with what was asked for, and with what the registry said of it.
fn served(which: &Selector, media_type: String, said: Option<&str>, bytes: Vec<u8>) -> Result<ServedManifest> {
    let said: Option<Digest> = said.and_then(|text| text.parse().ok());
    let expected = match which {
        Selector::Digest(digest) => Some(digest.clone()),
        Selector::Tag(_) => said,
    };
    let digest = match &expected {
        Some(expected) => {
            let mut hasher = Hasher::new(expected.algorithm());
            hasher.update(&bytes);
            hasher.finish()
        }
        None => Digest::sha256(&bytes),
    };
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        return Err(Error::corrupt(format!(
            "the registry sent a manifest with digest {digest} in place of {expected}"
        )));
    }
    Ok(ServedManifest { media_type, digest, bytes })
}
