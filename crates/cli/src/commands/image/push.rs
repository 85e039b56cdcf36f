//! `push`: sends an image to a registry.

use api::client::PushOptions;
use base::Error;
use oci::reference::Reference;

use super::auth;
use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::progress::{self, Display};
use crate::session::Session;

pub(crate) static PUSH: Command = Command {
    usage: "[OPTIONS] NAME[:TAG] [NAME...]",
    about: "Upload an image to a registry",
    paths: &["berth image push", "berth push"],
    flags: &[&[
        Flag::switch("all-tags", "Push all tags of an image to the repository").short('a'),
        Flag::switch("disable-content-trust", "").default("true").hidden(),
        Flag::text("platform", "Push only this platform of an image that has several (os[/arch[/variant]])"),
        Flag::switch("quiet", "Suppress verbose output").short('q'),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut errors = Vec::new();
    for name in &matches.arguments {
        match push(session, matches, name) {
            Ok(()) => {}
            Err(Failure::Error(error)) => errors.push(error),
            Err(failure) => return Err(failure),
        }
    }
    Failure::from_all(errors)
}

fn push(session: &Session<'_>, matches: &Matches, name: &str) -> Result<(), Failure> {
    let (quiet, all) = (matches.is("quiet"), matches.is("all-tags"));
    let reference: Reference = name.parse()?;
    let is_name_only = Reference::is_name_only(name);
    if all && !is_name_only {
        return Err(Error::invalid(format!("push {name}: a tag cannot be used with -a, --all-tags")).into());
    }
    if reference.digest().is_some() {
        return Err(Error::invalid(format!("push {name}: cannot push a digest reference: push a tag")).into());
    }
    if !all && is_name_only && !quiet {
        session.print("Using default tag: latest\n")?;
    }
    let options = PushOptions {
        repository: reference.familiar_name(),
        tag: if all { String::new() } else { reference.tag().unwrap_or_default().to_owned() },
        platform: matches.text("platform").map(str::to_owned),
        auth: auth(session, &reference)?,
    };
    let display = if quiet { Display::Quiet } else { Display::for_stdout() };
    let mut stream = session.client()?.push_image(&options)?;
    progress::show_on_stdout(&mut *stream, display)?;
    if quiet {
        let pushed = if all { reference.name() } else { reference.to_string() };
        session.print(&format!("{pushed}\n"))?;
    }
    Ok(())
}
