//! `info`: facts about client, engine and host.

use api::LogLevel;
use api::types::Info;
use base::Error;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::format::document::Document;
use crate::format::fields::with_names;
use crate::format::inspection::{self, FORMAT};
use crate::format::list::unescape;
use crate::format::template::{Format, Line};
use crate::session::Session;

pub(crate) static INFO: Command = Command {
    usage: "[OPTIONS]",
    about: "Display system-wide information",
    paths: &["berth system info", "berth info"],
    flags: &[&[FORMAT]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// Go's names of members.
const NAMES: &[(&str, &str)] = &[
    ("CPUCfsPeriod", "CpuCfsPeriod"),
    ("CPUCfsQuota", "CpuCfsQuota"),
    ("HTTPProxy", "HttpProxy"),
    ("HTTPSProxy", "HttpsProxy"),
];

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let format = matches.text("format").filter(|format| !format.is_empty());
    let template = match format {
        Some("json") => Some(Format::parse("{{json .}}", Line::Item)?),
        Some(format) => Some(Format::parse(&unescape(format), Line::Item)?),
        None => None,
    };
    let level = session.globals.log_level;
    let answer = session.client().and_then(|client| client.raw("/info"));
    if let (Err(_), None) = (&answer, &template) {
        // What is known of the client is of use also where there is no engine.
        session.print(&client_text(level))?;
    }
    let bytes = answer?;
    if let Some(template) = template {
        let Document::Object(mut entries) = inspection::read(&bytes)? else {
            return Err(Error::corrupt("the engine's facts are not understood").into());
        };
        entries.push(("ClientInfo".to_owned(), client(level)));
        let value = with_names(Document::Object(entries).to_value(), NAMES);
        session.print(&format!("{}\n", template.apply(value, "")?))?;
        return Ok(0);
    }
    let info: Info = serde_json::from_slice(&bytes)
        .map_err(|error| Error::corrupt(format!("the engine's facts are not understood: {error}")))?;
    session.print(&format!("{}\nServer:\n{}", client_text(level), server_text(&info)))?;
    for warning in &info.warnings {
        session.warn(warning);
    }
    Ok(0)
}

fn client(level: Option<LogLevel>) -> Document {
    let members = [
        ("Debug", Document::Boolean(level == Some(LogLevel::Debug))),
        ("Version", Document::Text(env!("CARGO_PKG_VERSION").to_owned())),
        ("Context", Document::Text("default".to_owned())),
        ("Plugins", Document::List(Vec::new())),
        ("Warnings", Document::Null),
    ];
    Document::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn client_text(level: Option<LogLevel>) -> String {
    format!(
        "Client:\n Version:    {}\n Context:    default\n Debug Mode: {}\n",
        env!("CARGO_PKG_VERSION"),
        level == Some(LogLevel::Debug)
    )
}

/// Lines that are indented by how far inside they stand.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// `NAME: value`; nothing for a value that is not known.
    fn known(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push_str(&format!(" {name}: {value}\n"));
        }
    }

    /// `NAME:` and a line for each of the values; nothing without any.
    fn several<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<&str> = values.collect();
        if !values.is_empty() {
            self.0.push_str(&format!(" {name}:\n"));
            values.iter().for_each(|value| self.0.push_str(&format!("  {value}\n")));
        }
    }
}

/// Docker's layout, without what the engine does not have.
fn server_text(info: &Info) -> String {
    let mut lines = Lines::default();
    push_things(&mut lines, info);
    push_drivers(&mut lines, info);
    push_security(&mut lines, &info.security_options);
    push_host(&mut lines, info);
    push_registries(&mut lines, info);
    lines.known("Live Restore Enabled", info.live_restore_enabled);
    lines.0
}

fn push_things(lines: &mut Lines, info: &Info) {
    lines.known("Containers", info.containers);
    for (name, count) in
        [("Running", info.containers_running), ("Paused", info.containers_paused), ("Stopped", info.containers_stopped)]
    {
        lines.known(&format!(" {name}"), count);
    }
    lines.known("Images", info.images);
    lines.known("Server Version", &info.server_version);
}

fn push_drivers(lines: &mut Lines, info: &Info) {
    lines.known("Storage Driver", &info.driver);
    for [name, value] in &info.driver_status {
        lines.known(&format!(" {name}"), value);
    }
    lines.known("Logging Driver", &info.logging_driver);
    lines.known("Cgroup Driver", &info.cgroup_driver);
    lines.known("Cgroup Version", &info.cgroup_version);
    lines.0.push_str(" Plugins:\n");
    for (name, plugins) in
        [("Volume", &info.plugins.volume), ("Network", &info.plugins.network), ("Log", &info.plugins.log)]
    {
        lines.known(&format!(" {name}"), plugins.join(" "));
    }
    lines.known("Swarm", &info.swarm.local_node_state);
    lines.known("Runtimes", info.runtimes.keys().cloned().collect::<Vec<_>>().join(" "));
    lines.known("Default Runtime", &info.default_runtime);
    lines.known("Init Binary", &info.init_binary);
    lines.known("containerd version", &info.containerd_commit.id);
    lines.known("runc version", &info.runc_commit.id);
    lines.known("init version", &info.init_commit.id);
}

/// `name=seccomp,profile=builtin` is shown as its name, and below it what it has.
fn push_security(lines: &mut Lines, options: &[String]) {
    if options.is_empty() {
        return;
    }
    lines.0.push_str(" Security Options:\n");
    for option in options {
        for part in option.split(',') {
            match part.split_once('=') {
                Some(("name", name)) => lines.0.push_str(&format!("  {name}\n")),
                Some(("profile", profile)) => lines.0.push_str(&format!("   Profile: {profile}\n")),
                Some((key, value)) => lines.0.push_str(&format!("   {key}: {value}\n")),
                None => lines.0.push_str(&format!("  {part}\n")),
            }
        }
    }
}

fn push_host(lines: &mut Lines, info: &Info) {
    lines.known("Kernel Version", &info.kernel_version);
    lines.known("Operating System", &info.operating_system);
    lines.known("OSType", &info.os_type);
    lines.known("Architecture", &info.architecture);
    lines.known("CPUs", info.processors);
    lines.known("Total Memory", base::size::format_binary(info.mem_total));
    lines.known("Name", &info.name);
    lines.known("ID", &info.id);
    lines.known("Docker Root Dir", &info.docker_root_dir);
    lines.known("Debug Mode", info.debug);
    lines.known("HTTP Proxy", &info.http_proxy);
    lines.known("HTTPS Proxy", &info.https_proxy);
    lines.known("No Proxy", &info.no_proxy);
    lines.several("Labels", info.labels.iter().map(String::as_str));
    lines.known("Experimental", info.experimental_build);
}

fn push_registries(lines: &mut Lines, info: &Info) {
    let registries = &info.registry_config;
    let insecure = registries.index_configs.iter().filter(|(_, index)| !index.secure).map(|(host, _)| host.as_str());
    lines.several("Insecure Registries", insecure.chain(registries.insecure_registry_cidrs.iter().map(String::as_str)));
    lines.several("Registry Mirrors", registries.mirrors.iter().map(String::as_str));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_dockers() {
        let info: Info = serde_json::from_str(
            r#"{"Containers":3,"ContainersRunning":1,"ContainersStopped":2,"Images":4,"ServerVersion":"1","Driver":"overlay2",
            "DriverStatus":[["Backing Filesystem","extfs"]],"LoggingDriver":"json-file","CgroupDriver":"cgroupfs","CgroupVersion":"2",
            "Plugins":{"Volume":["local"],"Network":["bridge","host","macvlan","null"],"Log":["local"]},"Swarm":{"LocalNodeState":"inactive"},
            "Runtimes":{"berth":{"path":"berth"}},"DefaultRuntime":"berth","SecurityOptions":["name=seccomp,profile=builtin","name=cgroupns"],
            "KernelVersion":"6.1","OSType":"linux","NCPU":2,"MemTotal":2147483648,"Name":"host","DockerRootDir":"/var/lib/berth",
            "RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8"],"IndexConfigs":{"docker.io":{"Secure":true},"old:5000":{}},"Mirrors":["https://m/"]}}"#,
        )
        .unwrap();
        let expected = " Containers: 3\n  Running: 1\n  Paused: 0\n  Stopped: 2\n Images: 4\n Server Version: 1\n Storage Driver: overlay2\n  \
            Backing Filesystem: extfs\n Logging Driver: json-file\n Cgroup Driver: cgroupfs\n Cgroup Version: 2\n Plugins:\n  Volume: local\n  \
            Network: bridge host macvlan null\n  Log: local\n Swarm: inactive\n Runtimes: berth\n Default Runtime: berth\n Security Options:\n  seccomp\n   \
            Profile: builtin\n  cgroupns\n Kernel Version: 6.1\n OSType: linux\n CPUs: 2\n Total Memory: 2GiB\n Name: host\n \
            Docker Root Dir: /var/lib/berth\n Debug Mode: false\n Experimental: false\n Insecure Registries:\n  old:5000\n  127.0.0.0/8\n \
            Registry Mirrors:\n  https://m/\n Live Restore Enabled: false\n";
        assert_eq!(server_text(&info), expected);
    }
}
