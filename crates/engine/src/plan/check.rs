//! What contradicts itself or cannot be done is refused at create, before anything is made.

use base::{Error, Result};

use super::{capabilities, devices, files, ports, resources, security, signals, sysctls, ulimits};
use crate::Configuration;
use crate::containers::{NetworkMode, PidMode, RestartPolicy, Settings, UtsMode};

/// Checks merged settings.
///
/// # Errors
/// `Invalid` for a contradiction, `Unsupported` for what this engine cannot do yet.
pub fn check(settings: &Settings, configuration: &Configuration) -> Result<()> {
    lifetime(settings)?;
    ports::check(settings)?;
    namespaces(settings)?;
    hostname(settings)?;
    process(settings)?;
    drivers(settings)?;
    capabilities::plan(settings, configuration.defaults)?;
    security::plan(settings, configuration)?;
    sysctls::check(settings)?;
    // The address is known at each start.
    let on_network = matches!(settings.network, NetworkMode::Default | NetworkMode::Named(_)).then_some("0.0.0.0");
    files::check(settings, configuration.host_gateway_ip.as_deref().or(on_network))?;
    ulimits::check(&settings.ulimits)?;
    resources::check(&settings.resources)?;
    devices::check(settings)
}

fn lifetime(settings: &Settings) -> Result<()> {
    if settings.auto_remove && settings.restart != RestartPolicy::No {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    Ok(())
}

/// Checks what a user asks for against the network of another container, which has all of it already.
///
/// # Errors
/// `Invalid` in Docker's words.
pub fn networks(settings: &Settings) -> Result<()> {
    if !matches!(settings.network, NetworkMode::Container(_)) {
        return Ok(());
    }
    let is_published = settings.publish_all_ports || !settings.published_ports.is_empty();
    let conflicts = [
        (!settings.hostname.is_empty(), "hostname and the network mode"),
        (!settings.dns.is_empty(), "dns and the network mode"),
        (!settings.extra_hosts.is_empty(), "custom host-to-IP mapping and the network mode"),
        (is_published, "port publishing and the container type network mode"),
        (!settings.exposed_ports.is_empty(), "port exposing and the container type network mode"),
    ];
    match conflicts.iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(Error::invalid(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}

fn namespaces(settings: &Settings) -> Result<()> {
    if settings.uts == UtsMode::Host && !(settings.hostname.is_empty() && settings.domainname.is_empty()) {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    // Its process 1 is another's: an init of its own would be nobody's parent.
    if settings.pid != PidMode::Private && settings.init == Some(true) {
        return Err(Error::invalid(
            "conflicting options: --init and the PID mode: the container's init would not be process 1",
        ));
    }
    Ok(())
}

fn hostname(settings: &Settings) -> Result<()> {
    for name in [&settings.hostname, &settings.domainname] {
        let label_is_good = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if !name.is_empty() && (name.len() > 64 || !name.trim_end_matches('.').split('.').all(label_is_good)) {
            return Err(Error::invalid(format!(
                "invalid hostname format: {name:?}: up to 64 letters, digits, - and _, in parts separated by dots"
            )));
        }
    }
    Ok(())
}

fn process(settings: &Settings) -> Result<()> {
    let directory = &settings.working_directory;
    if !directory.is_empty() && !directory.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{directory}' is invalid, it needs to be an absolute path"
        )));
    }
    if let Some(entry) = settings.environment.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
        return Err(Error::invalid(format!("invalid environment variable: {entry}")));
    }
    let words = settings.entrypoint.iter().chain(&settings.command).flatten().chain(&settings.environment);
    if words.chain([directory, &settings.user]).any(|word| word.contains('\0')) {
        return Err(Error::invalid("a command, a variable, a user or a directory cannot contain a zero byte"));
    }
    if let Some(signal) = settings.stop_signal.as_deref().filter(|signal| !signal.is_empty()) {
        signals::parse(signal)?;
    }
    if !(-1000..=1000).contains(&settings.oom_score_adj) {
        return Err(Error::invalid(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            settings.oom_score_adj
        )));
    }
    Ok(())
}

fn drivers(settings: &Settings) -> Result<()> {
    if !matches!(settings.volume_driver.as_str(), "" | "local") {
        return Err(Error::unsupported(format!(
            "not supported: volume driver {:?}: only local",
            settings.volume_driver
        )));
    }
    if !matches!(settings.runtime.as_str(), "" | "berth" | "runc" | "io.containerd.runc.v2") {
        return Err(Error::invalid(format!("unknown or invalid runtime name: {}", settings.runtime)));
    }
    if !matches!(settings.log.driver.as_str(), "json-file" | "local" | "none") {
        return Err(Error::invalid(format!(
            "unknown log driver {:?}: use json-file, local or none",
            settings.log.driver
        )));
    }
    logs::Options::parse(&settings.log.driver, &settings.log.options)?;
    if settings.cgroup_parent.split('/').any(|part| part == "." || part == "..")
        || settings.cgroup_parent.contains("//")
    {
        return Err(Error::invalid(format!("invalid cgroup parent {:?}: use a plain path", settings.cgroup_parent)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    fn checked(change: impl FnOnce(&mut Settings)) -> Result<()> {
        let configuration = Configuration::default();
        let mut settings = Settings::default();
        super::super::effective::apply_defaults(&mut settings, &configuration).unwrap();
        change(&mut settings);
        check(&settings, &configuration)
    }

    fn refusal(change: impl FnOnce(&mut Settings)) -> Kind {
        checked(change).unwrap_err().kind()
    }

    #[test]
    fn the_defaults_are_fine() {
        checked(|_| {}).unwrap();
    }

    #[test]
    fn contradictions_are_refused() {
        assert_eq!(
            refusal(|settings| {
                settings.auto_remove = true;
                settings.restart = RestartPolicy::Always;
            }),
            Kind::Invalid
        );
        assert_eq!(
            refusal(|settings| {
                settings.uts = UtsMode::Host;
                settings.hostname = "own".to_owned();
            }),
            Kind::Invalid
        );
    }

    #[test]
    fn another_containers_network_is_not_changed() {
        let given = Settings::default();
        for (mut settings, words) in [
            (Settings { hostname: "own".to_owned(), ..given.clone() }, "hostname"),
            (Settings { dns: vec!["192.0.2.1".to_owned()], ..given.clone() }, "dns"),
            (Settings { extra_hosts: vec!["a:192.0.2.1".to_owned()], ..given.clone() }, "host-to-IP"),
            (Settings { publish_all_ports: true, ..given.clone() }, "port publishing"),
            (
                Settings { published_ports: [("80/tcp".to_owned(), Vec::new())].into(), ..given.clone() },
                "port publishing",
            ),
            (Settings { exposed_ports: ["80/tcp".to_owned()].into(), ..given.clone() }, "port exposing"),
        ] {
            networks(&settings).unwrap();
            settings.network = NetworkMode::Container("web".to_owned());
            let error = networks(&settings).unwrap_err().to_string();
            assert!(error.starts_with("conflicting options: ") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        let changes: [fn(&mut Settings); 9] = [
            |settings| settings.hostname = "a b".to_owned(),
            |settings| settings.hostname = "a".repeat(65),
            |settings| settings.working_directory = "tmp".to_owned(),
            |settings| settings.environment = vec!["=x".to_owned()],
            |settings| settings.command = Some(vec!["a\0b".to_owned()]),
            |settings| settings.stop_signal = Some("SIGNONE".to_owned()),
            |settings| settings.oom_score_adj = 1001,
            |settings| settings.log.driver = "syslog".to_owned(),
            |settings| settings.runtime = "kata".to_owned(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(refusal(change), Kind::Invalid, "{number}");
        }
    }
}
