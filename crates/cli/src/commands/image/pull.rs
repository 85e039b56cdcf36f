//! `pull`: fetches images from a registry.

use api::client::PullOptions;
use base::{Error, Result};
use oci::reference::Reference;

use super::auth;
use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::progress::{self, Display};
use crate::session::{Session, write_stdout};

pub(crate) static PULL: Command = Command {
    usage: "[OPTIONS] NAME[:TAG|@DIGEST] [NAME...]",
    about: "Download an image from a registry",
    paths: &["berth image pull", "berth pull"],
    flags: &[&[
        Flag::switch("all-tags", "Download all tagged images in the repository").short('a'),
        Flag::switch("disable-content-trust", "").default("true").hidden(),
        Flag::text("platform", "Set platform if server is multi-platform capable"),
        Flag::switch("quiet", "Suppress verbose output").short('q'),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// One pull.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull<'a> {
    /// Of which image, or of which repository where `tags` is everything.
    pub(crate) reference: &'a Reference,
    pub(crate) tags: Tags,
    /// Instead of the engine's.
    pub(crate) platform: Option<&'a str>,
    pub(crate) display: Display,
}

/// Which images of a repository are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// That of the reference.
    Named,
    All,
}

impl Pull<'_> {
    /// Pulls and shows the progress through `write`.
    ///
    /// # Errors
    /// Why the image is not there now; the engine names the image.
    pub(crate) fn run(
        &self,
        session: &Session<'_>,
        write: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let reference = self.reference;
        let tag = match (self.tags, reference.digest()) {
            (Tags::All, _) => String::new(),
            (Tags::Named, Some(digest)) => digest.to_string(),
            (Tags::Named, None) => reference.tag().unwrap_or_default().to_owned(),
        };
        let options = PullOptions {
            repository: reference.familiar_name(),
            tag,
            platform: self.platform.map(str::to_owned),
            auth: auth(session, reference)?,
        };
        let mut stream = session.client()?.pull_image(&options)?;
        progress::show(&mut *stream, self.display, write)
    }
}

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut errors = Vec::new();
    for name in &matches.arguments {
        match pull(session, matches, name) {
            Ok(()) => {}
            Err(Failure::Error(error)) => errors.push(error),
            Err(failure) => return Err(failure),
        }
    }
    Failure::from_all(errors)
}

fn pull(session: &Session<'_>, matches: &Matches, name: &str) -> Result<(), Failure> {
    let quiet = matches.is("quiet");
    let reference: Reference = name.parse()?;
    let tags = if matches.is("all-tags") { Tags::All } else { Tags::Named };
    let is_name_only = Reference::is_name_only(name);
    if tags == Tags::All && !is_name_only {
        return Err(Error::invalid(format!("pull {name}: a tag cannot be used with -a, --all-tags")).into());
    }
    if tags == Tags::Named && is_name_only && !quiet {
        session.print("Using default tag: latest\n")?;
    }
    let display = if quiet { Display::Quiet } else { Display::for_stdout() };
    Pull { reference: &reference, tags, platform: matches.text("platform"), display }.run(session, write_stdout)?;
    let pulled = if tags == Tags::All { reference.name() } else { reference.to_string() };
    session.print(&format!("{pulled}\n"))
}
