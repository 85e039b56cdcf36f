//! The body of a create request, from the flags of `run` and `create`.

use std::collections::BTreeMap;
use std::path::Path;

use api::types::{ContainerConfig, CreateContainer, HostConfig, LogConfig, NetworkingConfig, RestartPolicy};
use base::{Error, Result};

use super::variables::Lookup;
use super::{limits, mounts, network, ports, security, variables};
use crate::flags::Matches;

/// Where the flags were given: what relative paths and names without values mean.
pub(crate) struct Place<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) lookup: Lookup<'a>,
    /// Rows and columns of the user's terminal.
    pub(crate) terminal: Option<(u16, u16)>,
}

/// The streams of a container that the client connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// The body that creates what `matches` asks for; `detached` is `run -d`.
///
/// # Errors
/// `Invalid` for values that cannot be, in Docker's words where scripts may know them; `Unsupported` for what berth does not have.
pub(crate) fn create(matches: &Matches, place: &Place<'_>, detached: Detached) -> Result<CreateContainer> {
    let streams = streams(matches, detached)?;
    let mut config = config(matches, place, streams)?;
    let mut host = host(matches, place)?;
    config.stdin_once = detached == Detached::No && config.open_stdin && streams.stdin;
    let volumes = mounts::volumes(&matches.list("volume"), place.directory)?;
    config.volumes = volumes.anonymous.into_iter().map(|target| (target, Default::default())).collect();
    host.binds = volumes.binds;
    let networks = network::networks(matches)?;
    host.network_mode = networks.mode;
    host.links = networks.links;
    let ports = ports::ports(&matches.list("publish"), &matches.list("expose"))?;
    config.exposed_ports = ports.exposed;
    host.port_bindings = ports.bindings;
    host.publish_all_ports = matches.is("publish-all");
    let networking_config = NetworkingConfig { endpoints_config: networks.endpoints };
    Ok(CreateContainer { config, host_config: host, networking_config })
}

/// Whether nobody waits for the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detached {
    Yes,
    No,
}

/// The streams that `-a`, `-i` and `-d` mean.
pub(crate) fn streams(matches: &Matches, detached: Detached) -> Result<Streams> {
    let given = matches.list("attach");
    if detached == Detached::Yes {
        return match given.is_empty() {
            true => Ok(Streams::default()),
            false => Err(Error::invalid("conflicting options: cannot specify both --attach and --detach")),
        };
    }
    if given.is_empty() {
        return Ok(Streams { stdin: matches.is("interactive"), stdout: true, stderr: true });
    }
    let mut streams = Streams::default();
    for stream in given {
        match stream.to_ascii_lowercase().as_str() {
            "stdin" => streams.stdin = true,
            "stdout" => streams.stdout = true,
            "stderr" => streams.stderr = true,
            _ => return Err(Error::invalid("valid streams are STDIN, STDOUT and STDERR")),
        }
    }
    Ok(streams)
}

fn config(matches: &Matches, place: &Place<'_>, streams: Streams) -> Result<ContainerConfig> {
    let text = |name: &str| matches.text(name).unwrap_or_default().to_owned();
    let (image, command) = match matches.arguments.split_first() {
        Some((image, command)) => (image.clone(), command.to_vec()),
        None => (String::new(), Vec::new()),
    };
    let entrypoint = matches.text("entrypoint").map(|entrypoint| vec![entrypoint.to_owned()]);
    Ok(ContainerConfig {
        hostname: text("hostname"),
        domainname: text("domainname"),
        user: text("user"),
        attach_stdin: streams.stdin,
        attach_stdout: streams.stdout,
        attach_stderr: streams.stderr,
        tty: matches.is("tty"),
        open_stdin: matches.is("interactive"),
        env: variables::environment(&matches.list("env-file"), &matches.list("env"), place.lookup)?,
        cmd: (!command.is_empty()).then_some(command),
        image,
        working_dir: text("workdir"),
        entrypoint,
        labels: variables::labels(&matches.list("label-file"), &matches.list("label"))?,
        stop_signal: matches.text("stop-signal").map(str::to_owned),
        stop_timeout: matches.number("stop-timeout"),
        ..Default::default()
    })
}

fn host(matches: &Matches, place: &Place<'_>) -> Result<HostConfig> {
    let text = |name: &str| matches.text(name).unwrap_or_default().to_owned();
    let owned = |name: &str| matches.list(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let trimmed = |name: &str| matches.list(name).into_iter().map(|text| text.trim().to_owned()).collect::<Vec<_>>();
    let security = security::parse(&matches.list("security-opt"))?;
    let (height, width) = place.terminal.unwrap_or_default();
    let mut host = HostConfig {
        container_id_file: text("cidfile"),
        log_config: log(matches)?,
        restart_policy: restart(matches)?,
        auto_remove: matches.is("rm"),
        volumes_from: owned("volumes-from"),
        mounts: matches
            .list("mount")
            .into_iter()
            .map(|text| mounts::mount(text, place.directory))
            .collect::<Result<_>>()?,
        tmpfs: mounts::tmpfs(&matches.list("tmpfs")),
        cap_add: owned("cap-add"),
        cap_drop: owned("cap-drop"),
        cgroupns_mode: text("cgroupns"),
        dns: trimmed("dns"),
        dns_options: owned("dns-option"),
        dns_search: trimmed("dns-search"),
        extra_hosts: matches.list("add-host").into_iter().map(network::extra_host).collect::<Result<_>>()?,
        group_add: owned("group-add"),
        ipc_mode: text("ipc"),
        oom_score_adj: matches.number("oom-score-adj").unwrap_or_default(),
        pid_mode: text("pid"),
        privileged: matches.is("privileged"),
        readonly_rootfs: matches.is("read-only"),
        security_opt: security.options,
        uts_mode: text("uts"),
        shm_size: matches.number("shm-size").unwrap_or_default(),
        sysctls: variables::map("sysctl", matches.list("sysctl").into_iter())?,
        init: matches.text("init").map(|_| matches.is("init")),
        console_size: Some([height.into(), width.into()]),
        ..Default::default()
    };
    if security.unconfined_paths {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
    resources(matches, &mut host)?;
    Ok(host)
}

/// The limits that `create`, `run` and `update` take.
///
/// # Errors
/// `Invalid` for a number of processors that is none.
pub(crate) fn limits(matches: &Matches, host: &mut HostConfig) -> Result<()> {
    let text = |name: &str| matches.text(name).unwrap_or_default().to_owned();
    let number = |name: &str| matches.number(name).unwrap_or_default();
    host.memory = number("memory");
    host.memory_swap = number("memory-swap");
    host.memory_reservation = number("memory-reservation");
    host.nano_cpus = matches.text("cpus").map(super::limits::nano_cpus).transpose()?.unwrap_or_default();
    host.cpu_shares = number("cpu-shares");
    host.cpu_period = number("cpu-period");
    host.cpu_quota = number("cpu-quota");
    host.cpuset_cpus = text("cpuset-cpus");
    host.cpuset_mems = text("cpuset-mems");
    host.pids_limit = matches.number("pids-limit");
    Ok(())
}

fn resources(matches: &Matches, host: &mut HostConfig) -> Result<()> {
    limits(matches, host)?;
    host.cgroup_parent = matches.text("cgroup-parent").unwrap_or_default().to_owned();
    host.devices = matches.list("device").into_iter().map(limits::device).collect::<Result<_>>()?;
    host.device_cgroup_rules = matches.list("device-cgroup-rule").into_iter().map(str::to_owned).collect();
    // The last one of a name counts, as everywhere.
    let ulimits: Vec<_> = matches.list("ulimit").into_iter().map(limits::ulimit).collect::<Result<_>>()?;
    let by_name: BTreeMap<String, _> = ulimits.into_iter().map(|limit| (limit.name.clone(), limit)).collect();
    host.ulimits = by_name.into_values().collect();
    Ok(())
}

fn restart(matches: &Matches) -> Result<RestartPolicy> {
    let policy = restart_policy(matches.text("restart").unwrap_or("no"))?;
    if matches.is("rm") && policy.name != "no" {
        return Err(Error::invalid("conflicting options: cannot specify both --restart and --rm"));
    }
    Ok(policy)
}

/// Parses `always`, `on-failure:3`; nothing is `no`.
///
/// # Errors
/// `Invalid` for a count that is none or has no policy before it.
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    if name.is_empty() && count.is_some() {
        return Err(Error::invalid("invalid restart policy format: no policy provided before colon"));
    }
    let count = count
        .map(|count| {
            count
                .parse::<i64>()
                .map_err(|_| Error::invalid("invalid restart policy format: maximum retry count must be an integer"))
        })
        .transpose()?;
    let name = if name.is_empty() { "no" } else { name };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count: count.unwrap_or_default() })
}

fn log(matches: &Matches) -> Result<LogConfig> {
    let driver = matches.text("log-driver").unwrap_or_default();
    let config = variables::map("log option", matches.list("log-opt").into_iter())?;
    if driver == "none" && !config.is_empty() {
        return Err(Error::invalid("invalid logging opts for driver none"));
    }
    Ok(LogConfig { kind: driver.to_owned(), config })
}

/// Checks `--pull`.
///
/// # Errors
/// `Invalid` for anything but the three policies.
pub(crate) fn pull_policy(matches: &Matches) -> Result<Pull> {
    match matches.text("pull").unwrap_or("missing") {
        "always" => Ok(Pull::Always),
        "missing" | "" => Ok(Pull::Missing),
        "never" => Ok(Pull::Never),
        other => Err(Error::invalid(format!(
            "invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\""
        ))),
    }
}

/// When an image is pulled before a container is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    Always,
    Missing,
    Never,
}
