//! `image inspect`: everything of images.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::inspection::{self, FORMAT};
use crate::session::Session;

pub(crate) static INSPECT: Command = Command {
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Display detailed information on one or more images",
    paths: &[],
    flags: &[&[FORMAT, Flag::text("platform", "Inspect a specific platform of the multi-platform image").refused()]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    inspection::inspect(session, matches, |name| client.inspect_image_json(name))
}
