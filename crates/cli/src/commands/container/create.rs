//! `create`: makes a container, and fetches its image where it is missing.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use api::types::{CreateContainer, ImageInspect};
use base::{Context, Error, Kind, Result};
use oci::platform::Platform;
use oci::reference::Reference;

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::commands::image::{Pull, Tags};
use crate::container::flags;
use crate::container::request::{self, Detached, Place};
use crate::flags::{Arity, Matches, Order};
use crate::progress::Display;
use crate::session::Session;
use crate::stream::terminal;

pub(crate) static CREATE: Command = Command {
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create a new container",
    paths: &["berth container create", "berth create"],
    flags: &[flags::CREATE],
    arity: Arity::AtLeast(1),
    order: Order::First,
    codes: Codes::Container,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let body = body(session, matches, Detached::No)?;
    let id = make(session, matches, &body)?;
    session.print(&format!("{id}\n"))?;
    Ok(0)
}

/// What the flags of `run` and `create` ask for.
///
/// # Errors
/// A usage error for what cannot be.
pub(super) fn body(session: &Session<'_>, matches: &Matches, detached: Detached) -> Result<CreateContainer, Failure> {
    let lookup = |name: &str| session.environment.variable(name).map(str::to_owned);
    let place = Place { directory: &session.environment.directory, lookup: &lookup, terminal: terminal::size() };
    request::create(matches, &place, detached).map_err(Failure::usage)
}

/// Makes a container and returns its id, which also goes into the file that `--cidfile` names.
///
/// # Errors
/// The engine's; what a pull fails with; `Conflict` for a file of an id that exists.
pub(super) fn make(session: &Session<'_>, matches: &Matches, body: &CreateContainer) -> Result<String, Failure> {
    let policy = request::pull_policy(matches).map_err(Failure::usage)?;
    let file = matches.text("cidfile").filter(|path| !path.is_empty());
    let file = file.map(|path| IdFile::claim(session.environment.directory.join(path))).transpose()?;
    let source = Source { session, matches, image: &body.config.image };
    if policy == request::Pull::Always {
        source.pull()?;
    }
    let create = || {
        let name = matches.text("name").filter(|name| !name.is_empty());
        session.client()?.create_container(name, source.platform(), body)
    };
    let created = match create() {
        Err(error) if policy == request::Pull::Missing && source.is_missing(&error) => {
            source.say_missing();
            source.pull()?;
            create()?
        }
        other => other?,
    };
    for warning in &created.warnings {
        session.warn(&format!("WARNING: {warning}"));
    }
    if let Some(file) = file {
        file.write(&created.id)?;
    }
    Ok(created.id)
}

/// Where the image of a container comes from.
struct Source<'a> {
    session: &'a Session<'a>,
    matches: &'a Matches,
    image: &'a str,
}

impl Source<'_> {
    fn platform(&self) -> Option<&str> {
        let given =
            self.matches.text("platform").or_else(|| self.session.environment.variable("DOCKER_DEFAULT_PLATFORM"));
        given.filter(|platform| !platform.is_empty())
    }

    /// Whether a create failed for want of the image, at least of the one for this platform, and not of something else that it names.
    fn is_missing(&self, error: &Error) -> bool {
        if error.kind() != Kind::NotFound || self.image.parse::<Reference>().is_err() {
            return false;
        }
        match self.session.client().and_then(|client| client.inspect_image(self.image)) {
            Ok(image) => self.is_for_another(&image),
            Err(error) => error.kind() == Kind::NotFound,
        }
    }

    fn is_for_another(&self, image: &ImageInspect) -> bool {
        let offered = Platform {
            os: image.os.clone(),
            architecture: image.architecture.clone(),
            variant: Some(image.variant.clone()).filter(|variant| !variant.is_empty()),
            os_version: None,
        };
        let wanted = self.platform().and_then(|wanted| wanted.parse::<Platform>().ok());
        wanted.is_some_and(|wanted| wanted.distance(&offered).is_none())
    }

    fn say_missing(&self) {
        if !self.matches.is("quiet") {
            let name = self.image.parse::<Reference>().map_or_else(|_| self.image.to_owned(), |image| image.familiar());
            self.session.warn(&format!("Unable to find image '{name}' locally"));
        }
    }

    /// Pulls; standard output stays free for the container.
    fn pull(&self) -> Result<(), Failure> {
        let reference: Reference = self.image.parse()?;
        let display = if self.matches.is("quiet") { Display::Quiet } else { Display::for_stderr() };
        let pull = Pull { reference: &reference, tags: Tags::Named, platform: self.platform(), display };
        pull.run(self.session, |text| {
            // Where nobody reads it the pull goes on all the same.
            let _ = std::io::stderr().write_all(text.as_bytes());
            Ok(())
        })
    }
}

/// The file that gets the container's id; one that stays empty is removed.
struct IdFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl IdFile {
    fn claim(path: PathBuf) -> Result<Self> {
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, written: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Error::conflict(format!(
                "container ID file found, make sure the other container isn't running or delete {}",
                path.display()
            ))),
            Err(error) => {
                Err(error).with_context(|| format!("failed to create the container ID file {}", path.display()))
            }
        }
    }

    fn write(mut self, id: &str) -> Result<()> {
        self.written = true;
        self.file.write_all(id.as_bytes()).with_context(|| format!("write the container ID to {}", self.path.display()))
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if !self.written {
            // It is ours and empty; one that has gone meanwhile is no loss.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_id_is_claimed_once_and_not_left_empty() {
        let path = std::env::temp_dir().join(format!("berth-cidfile-{}", base::id::Id::random().unwrap().short()));
        drop(IdFile::claim(path.clone()).unwrap());
        assert!(!path.exists());
        IdFile::claim(path.clone()).unwrap().write("abc").unwrap();
        assert!(
            IdFile::claim(path.clone()).is_err_and(|error| error.to_string().contains("make sure the other container"))
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc");
        std::fs::remove_file(&path).unwrap();
    }
}
