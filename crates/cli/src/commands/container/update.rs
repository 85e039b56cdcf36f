//! `update`: changes what of a container may change while it runs.

use api::types::HostConfig;

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::container::request;
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static UPDATE: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Update configuration of one or more containers",
    paths: &["berth container update", "berth update"],
    flags: &[FLAGS],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

static FLAGS: &[Flag] = &[
    Flag::integer("blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable")
        .kind(Kind::Unsigned)
        .refused(),
    Flag::integer("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag::integer("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag::integer("cpu-rt-period", "Limit the CPU real-time period in microseconds").refused(),
    Flag::integer("cpu-rt-runtime", "Limit the CPU real-time runtime in microseconds").refused(),
    Flag::integer("cpu-shares", "CPU shares (relative weight)").short('c'),
    Flag::text("cpus", "Number of CPUs").kind(Kind::Decimal),
    Flag::text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Flag::text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Memory soft limit"),
    Flag::bytes("memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
        .kind(Kind::BytesOrUnlimited),
    Flag::integer("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
    Flag::text("restart", "Restart policy to apply when a container exits"),
];

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    if matches.is_empty() {
        return Err(Failure::usage("you must provide one or more flags when using this command"));
    }
    let mut change = HostConfig::default();
    request::limits(matches, &mut change).map_err(Failure::usage)?;
    if let Some(policy) = matches.text("restart").filter(|policy| !policy.is_empty()) {
        change.restart_policy = request::restart_policy(policy)?;
    }
    session.each(&matches.arguments, |client, name| {
        client.update_container(name, &change)?;
        Ok(name.to_owned())
    })
}
