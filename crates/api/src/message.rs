//! Requests and responses, as they are before and after any transport.

use std::fmt;
use std::io::Read;
use std::os::unix::net::UnixStream;

use base::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::query::Query;

/// A body that is read as a whole is at most this long: the largest real ones, create requests with a seccomp profile, are a tenth of it.
pub(crate) const BODY_LIMIT_BYTES: u64 = 4 << 20;

/// What is done to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Shows.
    Get,
    /// Shows only the head.
    Head,
    /// Does.
    Post,
    /// Puts.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method that a request line names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Delete].into_iter().find(|method| method.as_str() == text)
    }
}

/// Header fields, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first field of this name, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a field.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What a client asks.
#[derive(Debug)]
pub struct Request {
    /// What is done.
    pub method: Method,
    /// To what: decoded, with or without a version in front.
    pub path: String,
    /// How.
    pub query: Query,
    /// Header fields.
    pub headers: Headers,
    /// With what.
    pub body: RequestBody,
}

/// What comes with a request.
#[derive(Default)]
pub enum RequestBody {
    /// Nothing.
    #[default]
    Empty,
    /// All of it.
    Bytes(Vec<u8>),
    /// To be read.
    Reader(Box<dyn Read + Send>),
}

impl Request {
    /// A request without query, fields and body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Query::default(),
            headers: Headers::default(),
            body: RequestBody::Empty,
        }
    }

    /// The same with a body of JSON.
    ///
    /// # Errors
    /// When `body` cannot be JSON, which none of the wire types is capable of.
    pub fn with_json<T: Serialize>(mut self, body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::internal(format!("encode a request: {error}")))?;
        self.headers.add("Content-Type", "application/json");
        self.body = RequestBody::Bytes(bytes);
        Ok(self)
    }

    /// The body as JSON; an empty one is the default, as many clients send none where every member is optional.
    ///
    /// # Errors
    /// `Invalid` for anything that is not such JSON, or is too long.
    pub fn json<T: DeserializeOwned + Default>(&mut self) -> Result<T> {
        let bytes = self.bytes()?;
        if bytes.trim_ascii().is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid(format!("the request's body is not understood: {error}")))
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        match std::mem::take(&mut self.body) {
            RequestBody::Empty => Ok(Vec::new()),
            RequestBody::Bytes(bytes) => Ok(bytes),
            RequestBody::Reader(mut reader) => read_bounded(reader.as_mut()),
        }
    }
}

/// What an engine answers.
#[derive(Debug)]
pub struct Response {
    /// As in HTTP.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// With what.
    pub body: ResponseBody,
}

/// What comes with a response.
#[derive(Default)]
pub enum ResponseBody {
    /// Nothing.
    #[default]
    Empty,
    /// All of it.
    Bytes(Vec<u8>),
    /// To be read, piece by piece as it comes; dropping it stops whoever makes it.
    Reader(Box<dyn Read + Send>),
    /// The connection is no longer HTTP's: what is read and written now are a container's streams, and either direction can be shut down alone.
    Upgraded(UnixStream),
}

impl Response {
    /// A response without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: ResponseBody::Empty }
    }

    /// A response of JSON, with a line break at its end as Go's encoder writes it.
    ///
    /// # Errors
    /// When `body` cannot be JSON, which none of the wire types is capable of.
    pub fn json<T: Serialize>(status: u16, body: &T) -> Result<Self> {
        let mut bytes =
            serde_json::to_vec(body).map_err(|error| Error::internal(format!("encode a response: {error}")))?;
        bytes.push(b'\n');
        Ok(Self::new(status, "application/json", ResponseBody::Bytes(bytes)))
    }

    /// A response of this type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: ResponseBody) -> Self {
        let mut headers = Headers::default();
        headers.add("Content-Type", content_type);
        Self { status, headers, body }
    }

    /// The whole body.
    ///
    /// # Errors
    /// `Unavailable` when it breaks off, `Corrupt` when it is too long or no longer HTTP.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        match self.body {
            ResponseBody::Empty => Ok(Vec::new()),
            ResponseBody::Bytes(bytes) => Ok(bytes),
            ResponseBody::Reader(mut reader) => {
                let mut bytes = Vec::new();
                // Lists and inspections of thousands of containers are long; this bound is only against an endless body.
                let limit = 256 << 20;
                let read = reader.by_ref().take(limit + 1).read_to_end(&mut bytes);
                read.map_err(|error| Error::unavailable(format!("read the engine's answer: {error}")))?;
                if bytes.len() as u64 > limit {
                    return Err(Error::corrupt("the engine's answer does not end"));
                }
                Ok(bytes)
            }
            ResponseBody::Upgraded(_) => {
                Err(Error::corrupt("the engine answered with a stream where none was asked for"))
            }
        }
    }

    /// The body as a reader.
    ///
    /// # Errors
    /// `Corrupt` when it is no longer HTTP.
    pub fn into_reader(self) -> Result<Box<dyn Read + Send>> {
        match self.body {
            ResponseBody::Empty => Ok(Box::new(std::io::empty())),
            ResponseBody::Bytes(bytes) => Ok(Box::new(std::io::Cursor::new(bytes))),
            ResponseBody::Reader(reader) => Ok(reader),
            ResponseBody::Upgraded(_) => {
                Err(Error::corrupt("the engine answered with a stream where none was asked for"))
            }
        }
    }
}

fn read_bounded(reader: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(BODY_LIMIT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::invalid(format!("read the request's body: {error}")))?;
    if bytes.len() as u64 > BODY_LIMIT_BYTES {
        return Err(Error::invalid(format!("the request's body is longer than {BODY_LIMIT_BYTES} bytes")));
    }
    Ok(bytes)
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            // Bodies hold secrets: environments, passwords.
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Reader(_) => formatter.write_str("Reader"),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Reader(_) => formatter.write_str("Reader"),
            Self::Upgraded(stream) => write!(formatter, "Upgraded({stream:?})"),
        }
    }
}
