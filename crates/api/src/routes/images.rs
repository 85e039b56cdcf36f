//! Images.

use std::io::{Cursor, Read};

use base::{Error, Result};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use engine::images::{Credentials, ImageListRequest, ImportRequest, PullRequest, PushRequest, RemoveImageRequest};
use engine::{Caller, Engine};
use oci::platform::Platform;
use oci::reference::Reference;

use super::containers::to_value;
use super::transfer;
use crate::convert;
use crate::message::{RequestBody, Response};
use crate::query::Query;
use crate::router::Call;
use crate::types::{Auth, ImagePrune};

pub(crate) fn list(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let request = ImageListRequest { filter: convert::filter(&call.query().filters()?) };
    let found = engine.list_images(caller, &request)?;
    let images: Vec<_> = found.into_iter().map(convert::image::summary).collect();
    let mut value = to_value(&images)?;
    for image in value.as_array_mut().into_iter().flatten() {
        call.version.adapt_image(image);
    }
    Response::json(200, &value)
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let image = convert::image::details(engine.inspect_image(caller, &call.name)?);
    if call.version == crate::NEWEST_VERSION {
        return Response::json(200, &image);
    }
    let mut value = to_value(&image)?;
    call.version.adapt_image(&mut value);
    Response::json(200, &value)
}

pub(crate) fn history(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let steps: Vec<_> = engine.image_history(caller, &call.name)?.into_iter().map(convert::image::step).collect();
    Response::json(200, &steps)
}

pub(crate) fn create(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    match (call.query().get("fromImage"), call.query().get("fromSrc")) {
        (Some(_), _) => pull(engine, caller, &call),
        (None, Some("-")) => import(engine, caller, call),
        (None, Some(_)) => Err(Error::unsupported("import from an address: fetch it and send the archive itself")),
        (None, None) => Err(Error::invalid("create an image: give fromImage or fromSrc")),
    }
}

fn pull(engine: &Engine, caller: &Caller, call: &Call) -> Result<Response> {
    let name = call.query().get("fromImage").unwrap_or_default();
    let tag = call.query().get("tag");
    let reference = reference(name, tag)?;
    let request = PullRequest {
        all_tags: tag.is_none() && Reference::is_name_only(name),
        reference,
        platform: platform(call.query())?,
        credentials: credentials(call.headers().get("X-Registry-Auth"))?,
    };
    let (engine, caller) = (engine.clone(), caller.clone());
    transfer::run(move |progress| engine.pull_image(&caller, &request, progress).map(|()| None))
}

fn import(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let query = call.query();
    let request = ImportRequest {
        reference: query.get("repo").map(|repository| reference(repository, query.get("tag"))).transpose()?,
        message: query.get("message").unwrap_or_default().to_owned(),
        changes: query.all("changes").map(str::to_owned).collect(),
        platform: platform(query)?,
    };
    let mut archive: Box<dyn Read + Send> = match std::mem::take(&mut call.request.body) {
        RequestBody::Empty => {
            return Err(Error::invalid("import: the archive is missing: send it as the request's body"));
        }
        RequestBody::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        RequestBody::Reader(reader) => reader,
    };
    let (engine, caller) = (engine.clone(), caller.clone());
    transfer::run(move |progress| {
        let imported = engine.import_image(&caller, &request, &mut *archive, progress)?;
        convert::progress::status(&imported.id.to_string()).map(Some)
    })
}

pub(crate) fn push(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let tag = call.query().get("tag");
    let request = PushRequest {
        reference: reference(&call.name, tag)?,
        all_tags: tag.is_none() && Reference::is_name_only(&call.name),
        platform: platform(call.query())?,
        credentials: credentials(call.headers().get("X-Registry-Auth"))?,
    };
    let (engine, caller) = (engine.clone(), caller.clone());
    transfer::run(move |progress| engine.push_image(&caller, &request, progress).map(|()| None))
}

pub(crate) fn tag(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let repository = call.query().get("repo").ok_or_else(|| Error::invalid("tag: repo is missing"))?;
    let reference = reference(repository, call.query().get("tag"))?;
    engine.tag_image(caller, &call.name, &reference)?;
    Ok(Response::empty(201))
}

pub(crate) fn remove(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let request = RemoveImageRequest { force: call.query().flag("force") };
    let removed = engine.remove_image(caller, &call.name, request)?;
    let removed: Vec<_> = removed.into_iter().map(convert::image::removed).collect();
    Response::json(200, &removed)
}

pub(crate) fn prune(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let pruned = engine.prune_images(caller, &convert::filter(&call.query().filters()?))?;
    let images_deleted = pruned.removed.into_iter().map(convert::image::removed).collect();
    Response::json(200, &ImagePrune { images_deleted, space_reclaimed: pruned.reclaimed_bytes })
}

/// The reference that a name and a tag, or a digest in its place, make.
fn reference(name: &str, tag: Option<&str>) -> Result<Reference> {
    match tag {
        None => name.parse(),
        Some(digest) if digest.contains(':') => format!("{name}@{digest}").parse(),
        Some(tag) => format!("{name}:{tag}").parse(),
    }
}

fn platform(query: &Query) -> Result<Option<Platform>> {
    query.get("platform").map(str::parse).transpose()
}

/// What `X-Registry-Auth` says; nothing where it says nothing.
///
/// # Errors
/// `Invalid` for what cannot be read.
fn credentials(header: Option<&str>) -> Result<Option<Credentials>> {
    let Some(header) = header.map(str::trim).filter(|header| !header.is_empty()) else { return Ok(None) };
    // Clients disagree about the padding and about the alphabet.
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoder = GeneralPurpose::new(&URL_SAFE, lenient);
    let unreadable = || Error::invalid("X-Registry-Auth is not understood: it is base64 of a JSON object");
    let bytes = decoder.decode(header.replace('+', "-").replace('/', "_")).map_err(|_| unreadable())?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(unreadable());
    }
    let auth: Auth = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
    let mut credentials = Credentials {
        username: auth.username,
        password: auth.password,
        identity_token: auth.identitytoken,
        registry_token: auth.registrytoken,
    };
    if credentials.username.is_empty() && !auth.auth.is_empty() {
        let both = decoder.decode(auth.auth.replace('+', "-").replace('/', "_")).map_err(|_| unreadable())?;
        let both = String::from_utf8(both).map_err(|_| unreadable())?;
        let (username, password) = both.split_once(':').ok_or_else(unreadable)?;
        (credentials.username, credentials.password) = (username.to_owned(), password.to_owned());
    }
    Ok((credentials != Credentials::default()).then_some(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    #[test]
    fn credentials_of_all_clients_are_read() {
        let json = r#"{"username":"ann","password":"p?>~ß","serveraddress":"https://index.docker.io/v1/"}"#;
        for header in [STANDARD.encode(json), URL_SAFE_NO_PAD.encode(json)] {
            let read = credentials(Some(&header)).unwrap().unwrap();
            assert_eq!((read.username.as_str(), read.password.as_str()), ("ann", "p?>~ß"));
        }
        let both = format!(r#"{{"auth":"{}"}}"#, STANDARD.encode("ann:a:b"));
        let read = credentials(Some(&STANDARD.encode(both))).unwrap().unwrap();
        assert_eq!((read.username.as_str(), read.password.as_str()), ("ann", "a:b"));
        for nothing in [None, Some(""), Some("e30="), Some("e30")] {
            assert_eq!(credentials(nothing).unwrap(), None);
        }
        assert!(credentials(Some("###")).is_err() && credentials(Some("W10=")).is_err());
    }

    #[test]
    fn names_and_tags_make_references() {
        assert_eq!(reference("alpine", Some("3.20")).unwrap().familiar(), "alpine:3.20");
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(reference("alpine", Some(&digest)).unwrap().digest().is_some());
        assert!(reference("Alpine", None).is_err());
    }
}
