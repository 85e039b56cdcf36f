//! Blobs on their way to a registry: mounted from another repository, or sent whole.

use crate::exchange::{Answer, Payload};
use crate::patience::Failure;
use crate::repository::{Access, Repository, Request, Target};
use crate::url::{Scheme, Url};
use base::digest::Digest;
use base::{Error, Kind, Result};
use oci::manifest::Descriptor;
use std::io::Read;
use ureq::http::Method;

/// Where the bytes of a blob come from that is sent.
#[derive(Clone, Copy)]
pub struct BlobSource<'a> {
    /// Opens it from its beginning; called again for each attempt.
    pub open: &'a (dyn Fn() -> Result<Box<dyn Read>> + 'a),
    /// Is told how many bytes of the present attempt are on their way; an error of its own ends the upload.
    pub passed: &'a (dyn Fn(u64) -> Result<()> + 'a),
}

impl std::fmt::Debug for BlobSource<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BlobSource")
    }
}

/// Reads a source and tells how far it is.
pub(crate) struct Counted<'a> {
    pub(crate) reader: Box<dyn Read>,
    pub(crate) count: u64,
    pub(crate) passed: &'a (dyn Fn(u64) -> Result<()> + 'a),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count += count as u64;
        (self.passed)(self.count).map_err(std::io::Error::other)?;
        Ok(count)
    }
}

/// How a blob came to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It was taken over from another repository of the same registry.
    Mounted,
    /// Its bytes were sent.
    Sent,
}

/// What a registry answers to the wish to upload.
enum Begun {
    Mounted,
    At(Url),
}

impl Repository<'_> {
    /// Puts a blob of known size and digest. Where `mount_from` names another repository of the registry that has it, no bytes are sent.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied`, `Unavailable`, `Exhausted`; `Invalid` where the registry finds another digest; those of `source`.
    pub fn put_blob(&self, blob: &Descriptor, mount_from: Option<&str>, source: BlobSource<'_>) -> Result<Uploaded> {
        let what = format!("put blob {} of {}", blob.digest.short(), self.name);
        let mut mount = mount_from.map(|from| (&blob.digest, from));
        let mut made = 0;
        loop {
            made += 1;
            let address = match self.begin(&what, mount) {
                Ok(Begun::Mounted) => return Ok(Uploaded::Mounted),
                Ok(Begun::At(address)) => address,
                // Not every registry lets this caller read that repository.
                Err(error)
                    if mount.is_some()
                        && matches!(error.kind(), Kind::Denied | Kind::Unauthenticated | Kind::NotFound) =>
                {
                    mount = None;
                    continue;
                }
                Err(error) => return Err(error),
            };
            mount = None;
            let address = address.with_query("digest", &blob.digest.to_string());
            let headers = [("content-type", "application/octet-stream".to_owned())];
            let request = Request {
                what: &what,
                method: Method::PUT,
                target: Target::Address(&address),
                headers: &headers,
                payload: Payload::Sized(blob.size, source),
                access: Access::Push,
            };
            let error = match self.send_once(&request) {
                Ok(answer) if answer.is_success() => return Ok(Uploaded::Sent),
                Ok(answer) => answer.refusal(&what),
                Err(error) => error,
            };
            // An upload that broke off is begun anew: its address is worth nothing any more.
            let wait = (error.kind() == Kind::Unavailable)
                .then(|| self.shared.options.patience.wait(made, Failure::Broken))
                .flatten();
            match wait {
                Some(wait) => self.pause(wait, &what, &error)?,
                None => return Err(error),
            }
        }
    }

    /// Asks for an address to upload to, or for a blob of another repository.
    fn begin(&self, what: &str, mount: Option<(&Digest, &str)>) -> Result<Begun> {
        let (path, access) = match mount {
            Some((digest, from)) => (
                format!(
                    "blobs/uploads/?mount={}&from={}",
                    crate::url::encode(&digest.to_string()),
                    crate::url::encode(from)
                ),
                Access::Mount(from),
            ),
            None => ("blobs/uploads/".to_owned(), Access::Push),
        };
        let request = Request {
            what,
            method: Method::POST,
            target: Target::Path(&path),
            headers: &[],
            payload: Payload::Bytes(&[]),
            access,
        };
        let answer = self.send(self.registry(), &request)?;
        match answer.status {
            201 if mount.is_some() => Ok(Begun::Mounted),
            202 => self.location(&answer, what).map(Begun::At),
            _ if answer.is_success() => {
                Err(Error::corrupt(format!("{what}: the registry answered with status {}", answer.status)))
            }
            _ => Err(answer.refusal(what)),
        }
    }

    /// Where the registry wants the bytes.
    ///
    /// Behind a proxy that ends TLS, many registries name themselves in plain http: what they mean is the way that they were asked.
    fn location(&self, answer: &Answer, what: &str) -> Result<Url> {
        let location = answer
            .header("location")
            .ok_or_else(|| Error::corrupt(format!("{what}: the registry does not say where to upload to")))?;
        let url = answer.url.resolve(location).map_err(|error| error.context(what))?;
        let server = self.registry();
        if server.scheme() == Scheme::Https && url.scheme() == Scheme::Http {
            if url.host() != answer.url.host() {
                return Err(Error::denied(format!(
                    "{what}: the registry wants it in plain http at {}",
                    url.authority()
                )));
            }
            return Ok(url.at(Scheme::Https, answer.url.authority()));
        }
        Ok(url)
    }

    /// As [`Repository::send`], without repeating what has a body that begins something.
    fn send_once(&self, request: &Request<'_>) -> Result<Answer> {
        self.attempt(self.registry(), request).map_err(|trouble| trouble.error.context(request.what))
    }
}
