//! Blobs as streams that survive a broken connection.

use crate::exchange::{Answer, Payload, body_trouble};
use crate::patience::Failure;
use crate::repository::{Access, Named, Repository, Request, Server, Target};
use base::digest::{Digest, Hasher};
use base::{Error, Kind, Result};
use oci::manifest::Descriptor;
use std::io::{self, Read};
use ureq::http::Method;

/// The bytes of a blob, from some offset to its end.
///
/// Guarantees that exactly as many bytes come as its descriptor says; a connection that breaks is made anew where it broke, as often as patience
/// allows without progress. Whether they are the right bytes is for the reader to find out: it hashes them anyway.
///
/// Errors are [`base::Error`]s inside of [`io::Error`]s; [`recover`] gets them out.
pub struct Blob<'a> {
    repository: &'a Repository<'a>,
    digest: Digest,
    size: u64,
    offset: u64,
    body: Option<Box<dyn Read + Send>>,
    failures: u32,
    what: String,
}

impl std::fmt::Debug for Blob<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Blob({} at {} of {})", self.digest, self.offset, self.size)
    }
}

/// The error inside of what a [`Blob`] fails with.
#[must_use]
pub fn recover(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(other) => {
            let failed: Result<(), io::Error> = Err(other);
            match base::Context::context(failed, "read") {
                Err(error) => error,
                Ok(()) => Error::internal("read"),
            }
        }
    }
}

impl Repository<'_> {
    /// Opens a blob at `offset`, which is at most its size. The first request is sent by this call.
    ///
    /// # Errors
    /// `NotFound`, `Unauthenticated`, `Denied`, `Unavailable`; `Corrupt` where the registry has another size than the descriptor.
    pub fn blob(&self, blob: &Descriptor, offset: u64) -> Result<Blob<'_>> {
        let what = format!("get blob {} of {}", blob.digest.short(), self.name);
        if offset > blob.size {
            return Err(Error::invalid(format!("{what}: offset {offset} is beyond its end")));
        }
        let (digest, size) = (blob.digest.clone(), blob.size);
        let mut stream = Blob { repository: self, digest, size, offset, body: None, failures: 0, what };
        if offset < size {
            stream.open()?;
        }
        Ok(stream)
    }

    /// Reads a whole blob of at most `limit` bytes and compares its digest.
    ///
    /// # Errors
    /// As [`Repository::blob`]; `Corrupt` for other bytes than the descriptor promises, `Invalid` for one that is longer than `limit`.
    pub fn small_blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let what = || format!("get blob {} of {}", blob.digest.short(), self.name);
        if blob.size > limit {
            return Err(Error::invalid(format!("{}: it has {} bytes, more than {limit}", what(), blob.size)));
        }
        let mut bytes = Vec::new();
        self.blob(blob, 0)?.read_to_end(&mut bytes).map_err(recover)?;
        let mut hasher = Hasher::new(blob.digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != blob.digest {
            return Err(Error::corrupt(format!("{}: the registry sent other bytes, with digest {found}", what())));
        }
        Ok(bytes)
    }

    /// Whether the registry itself has a blob in this repository.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied`, `Unavailable`.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let what = format!("look up blob {} of {}", digest.short(), self.name);
        let path = format!("blobs/{digest}");
        let request = Request {
            what: &what,
            method: Method::HEAD,
            target: Target::Path(&path),
            headers: &[],
            payload: Payload::None,
            access: Access::Push,
        };
        let answer = self.send(self.registry(), &request)?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(answer.refusal(&what)),
        }
    }
}

impl Blob<'_> {
    /// How many bytes of the blob have been passed, those before the first offset included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Asks for the bytes from the present offset on.
    fn open(&mut self) -> Result<()> {
        let (repository, what, offset, size) = (self.repository, &self.what, self.offset, self.size);
        let path = format!("blobs/{}", self.digest);
        let range = [("range", format!("bytes={offset}-"))];
        let ask = |server: &Server| {
            let request = Request {
                what,
                method: Method::GET,
                target: Target::Path(&path),
                headers: if offset > 0 { &range } else { &[] },
                payload: Payload::None,
                access: Access::Pull,
            };
            position(repository.send(server, &request)?, offset, size, what)
        };
        self.body = Some(repository.pull(Named::ByDigest, ask)?);
        Ok(())
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let left = self.size - self.offset;
            if left == 0 {
                return self.finish().map(|()| 0);
            }
            let Some(body) = &mut self.body else {
                self.open()?;
                continue;
            };
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let reason = match body.read(&mut buffer[..want]) {
                Ok(0) if want == 0 => return Ok(0),
                Ok(0) => {
                    Error::unavailable(format!("{}: it ends after {} of {} bytes", self.what, self.offset, self.size))
                }
                Ok(count) => {
                    self.offset += count as u64;
                    self.failures = 0;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => body_trouble("the registry", error).error.context(&self.what),
            };
            self.body = None;
            self.failures += 1;
            match self.repository.shared.options.patience.wait(self.failures, Failure::Broken) {
                Some(wait) => self.repository.pause(wait, &self.what, &reason)?,
                None => return Err(reason),
            }
        }
    }

    /// Reads the end of the body, so that the connection can serve again, and finds out whether there is more than there should be.
    fn finish(&mut self) -> Result<()> {
        let Some(mut body) = self.body.take() else { return Ok(()) };
        match body.read(&mut [0]) {
            // All bytes are there: how the connection ended is of no interest.
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => Err(Error::corrupt(format!(
                "{}: it is longer than the {} bytes that the manifest says",
                self.what, self.size
            ))),
        }
    }
}

/// The body of an answer, at the offset that was asked for.
fn position(answer: Answer, offset: u64, size: u64, what: &str) -> Result<Box<dyn Read + Send>> {
    let differs =
        |found: u64| Error::corrupt(format!("{what}: the registry has {found} bytes where the manifest says {size}"));
    let status = answer.status;
    if status == 206 && offset > 0 {
        let (start, total) = content_range(answer.header("content-range").unwrap_or_default())
            .ok_or_else(|| Error::corrupt(format!("{what}: the registry sends a part and does not say which")))?;
        if let Some(total) = total.filter(|total| *total != size) {
            return Err(differs(total));
        }
        if start != offset {
            return Err(Error::corrupt(format!("{what}: the registry continues at {start} in place of {offset}")));
        }
        return Ok(Box::new(answer.into_reader()));
    }
    if status != 200 {
        let error = answer.refusal(what);
        // To the registry, the blob ends before the offset.
        return Err(if status == 416 { error.with_kind(Kind::Corrupt) } else { error });
    }
    if let Some(found) = answer.content_length().filter(|found| *found != size) {
        return Err(differs(found));
    }
    // It sends everything from the beginning, so what is there already is passed over.
    let mut body = answer.into_reader();
    let skipped = io::copy(&mut (&mut body).take(offset), &mut io::sink());
    match skipped {
        Ok(skipped) if skipped == offset => Ok(Box::new(body)),
        Ok(_) => Err(Error::unavailable(format!("{what}: it ends too early"))),
        Err(error) => Err(body_trouble("the registry", error).error.context(what)),
    }
}

/// Start and total of `bytes 5-9/10`.
fn content_range(header: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.parse().ok()?, total))
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_ranges() {
        for (header, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 0-0/*", Some((0, None))),
            ("bytes */10", None),
            ("5-9/10", None),
            ("bytes 5-9", None),
            ("", None),
        ] {
            assert_eq!(content_range(header), expected, "{header}");
        }
    }
}
