//! `import`: makes an image of one layer from an archive of a root file system.

use std::io::Read;

use api::client::ImportOptions;
use base::{Context, Error, Result};
use oci::reference::Reference;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::progress::{self, Display};
use crate::session::Session;

pub(crate) static IMPORT: Command = Command {
    usage: "[OPTIONS] file|- [REPOSITORY[:TAG]]",
    about: "Import the contents from a tarball to create a filesystem image",
    paths: &["berth image import", "berth import"],
    flags: &[&[
        Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
        Flag::text("message", "Set commit message for imported image").short('m'),
        Flag::text("platform", "Set platform if server is multi-platform capable"),
    ]],
    arity: Arity::Between(1, 2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut options = ImportOptions {
        message: matches.text("message").unwrap_or_default().to_owned(),
        changes: matches.list("change").into_iter().map(str::to_owned).collect(),
        platform: matches.text("platform").map(str::to_owned),
        ..ImportOptions::default()
    };
    if let Some(name) = matches.arguments.get(1) {
        let reference: Reference = name.parse()?;
        if reference.digest().is_some() {
            return Err(Error::invalid(format!("import as {name}: a digest cannot be chosen: give a tag")).into());
        }
        options.repository = reference.familiar_name();
        options.tag = reference.tag().unwrap_or_default().to_owned();
    }
    let archive = open(session, &matches.arguments[0])?;
    let mut stream = session.client()?.import_image(&options, archive)?;
    progress::show_on_stdout(&mut *stream, Display::for_stdout())?;
    Ok(0)
}

fn open(session: &Session<'_>, source: &str) -> Result<Box<dyn Read + Send>> {
    if source == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        return Err(Error::unsupported(format!(
            "import {source}: importing from an address is not supported: fetch the archive and give the file, or - and pipe it in"
        )));
    }
    let file =
        std::fs::File::open(session.environment.directory.join(source)).with_context(|| format!("open {source}"))?;
    if file.metadata().with_context(|| format!("open {source}"))?.is_dir() {
        return Err(Error::invalid(format!("import {source}: a directory is no archive: pack it with tar")));
    }
    Ok(Box::new(file))
}
