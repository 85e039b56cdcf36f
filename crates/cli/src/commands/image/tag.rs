//! `tag`: gives an image a further name.

use base::Error;
use oci::reference::Reference;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static TAG: Command = Command {
    usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    paths: &["berth image tag", "berth tag"],
    flags: &[],
    arity: Arity::Exactly(2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let [source, target] = matches.arguments.as_slice() else {
        return Err(Error::internal("tag: the arguments were not counted").into());
    };
    let reference: Reference = target.parse()?;
    if reference.digest().is_some() {
        return Err(Error::invalid(format!("tag {target}: a digest cannot be chosen: give a tag")).into());
    }
    session.client()?.tag_image(source, &reference.familiar_name(), reference.tag().unwrap_or_default())?;
    Ok(0)
}
