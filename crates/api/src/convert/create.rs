//! From a create request to the engine's. What this engine does not do yet is refused by name: nothing is ignored silently.

use std::collections::BTreeMap;

use base::{Error, Result};
use engine::containers::{
    AttachedStreams, CreateRequest, DeviceMapping, EndpointRequest, LogSettings, MountKind, MountRequest, NetworkMode,
    PortBinding, ReadOnlyReach, ResourceLimits, RestartPolicy, Settings, Ulimit,
};

use super::unsigned;
use crate::types::{ContainerConfig, CreateContainer, HealthConfig, HostConfig, Mount, Set};

/// The engine's request.
///
/// # Errors
/// `Invalid` for values that cannot be, `Unsupported` for those that this engine has not.
pub(crate) fn request(body: CreateContainer, name: Option<&str>, platform: Option<&str>) -> Result<CreateRequest> {
    refuse_config(&body.config)?;
    refuse_host(&body.host_config)?;
    let networks = networks(&body)?;
    let settings = Settings { networks, ..settings(body.config, body.host_config)? };
    Ok(CreateRequest { name: name.map(str::to_owned), platform: platform.map(str::parse).transpose()?, settings })
}

/// Height and width of a terminal; what is out of range is not known.
pub(crate) fn console_size(size: Option<[u32; 2]>) -> (u16, u16) {
    let [height, width] = size.unwrap_or_default().map(|number| u16::try_from(number).unwrap_or(0));
    (height, width)
}

pub(super) fn unsupported(field: &str) -> Error {
    Error::unsupported(format!("not supported: {field}"))
}

fn refuse(fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(unsupported(field)),
        None => Ok(()),
    }
}

fn refuse_config(config: &ContainerConfig) -> Result<()> {
    let checks = |health: &HealthConfig| !matches!(health.test.first().map(String::as_str), None | Some("NONE"));
    refuse(&[("Healthcheck", config.healthcheck.as_ref().is_some_and(checks)), ("ArgsEscaped", config.args_escaped)])
}

fn refuse_host(host: &HostConfig) -> Result<()> {
    refuse(&[
        ("HostConfig.Annotations", !host.annotations.is_empty()),
        ("HostConfig.Cgroup", !host.cgroup.is_empty()),
        ("HostConfig.StorageOpt", !host.storage_opt.is_empty()),
        ("HostConfig.UsernsMode", !matches!(host.userns_mode.as_str(), "" | "host")),
        ("HostConfig.Isolation", !matches!(host.isolation.as_str(), "" | "default")),
        ("HostConfig.BlkioWeight", host.blkio_weight != 0),
        ("HostConfig.BlkioWeightDevice", !host.blkio_weight_device.is_empty()),
        ("HostConfig.BlkioDeviceReadBps", !host.blkio_device_read_bps.is_empty()),
        ("HostConfig.BlkioDeviceWriteBps", !host.blkio_device_write_bps.is_empty()),
        ("HostConfig.BlkioDeviceReadIOps", !host.blkio_device_read_iops.is_empty()),
        ("HostConfig.BlkioDeviceWriteIOps", !host.blkio_device_write_iops.is_empty()),
        ("HostConfig.CpuRealtimePeriod", host.cpu_realtime_period != 0),
        ("HostConfig.CpuRealtimeRuntime", host.cpu_realtime_runtime != 0),
        ("HostConfig.DeviceRequests", !host.device_requests.is_empty()),
        ("HostConfig.CpuCount", host.cpu_count != 0),
        ("HostConfig.CpuPercent", host.cpu_percent != 0),
        ("HostConfig.IOMaximumIOps", host.io_maximum_iops != 0),
        ("HostConfig.IOMaximumBandwidth", host.io_maximum_bandwidth != 0),
    ])
}

/// What is asked of each network. Links and the hardware address of the container as a whole are those of its first network.
fn networks(body: &CreateContainer) -> Result<BTreeMap<String, EndpointRequest>> {
    let asked = body.networking_config.endpoints_config.clone().into_iter();
    let mut networks: BTreeMap<String, EndpointRequest> = asked
        .map(|(name, settings)| {
            let field = format!("NetworkingConfig.EndpointsConfig.{name}");
            Ok((name, super::network::endpoint_request(&field, settings.unwrap_or_default())?))
        })
        .collect::<Result<_>>()?;
    let (mode, links, own) = (&body.host_config.network_mode, &body.host_config.links, &body.config.mac_address);
    if links.is_empty() && own.is_empty() {
        return Ok(networks);
    }
    let first = networks.entry(if mode.is_empty() { "default".to_owned() } else { mode.clone() }).or_default();
    first.links.extend(links.iter().cloned());
    if !own.is_empty() && first.hardware_address.get_or_insert_with(|| own.clone()) != own {
        return Err(Error::invalid(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
        ));
    }
    Ok(networks)
}

fn settings(config: ContainerConfig, mut host: HostConfig) -> Result<Settings> {
    let keys = |set: Set| set.into_keys().collect();
    let network = if config.network_disabled { NetworkMode::None } else { host.network_mode.parse()? };
    let resources = resources(&host)?;
    let published_ports = published_ports(&mut host);
    Ok(Settings {
        image: config.image,
        command: config.cmd,
        entrypoint: config.entrypoint,
        environment: config.env,
        user: config.user,
        working_directory: config.working_dir,
        hostname: config.hostname,
        domainname: config.domainname,
        labels: config.labels,
        terminal: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        attached: AttachedStreams {
            stdin: config.attach_stdin,
            stdout: config.attach_stdout,
            stderr: config.attach_stderr,
        },
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
        stop_timeout_seconds: config.stop_timeout,
        exposed_ports: keys(config.exposed_ports),
        volumes: config.volumes.into_keys().collect(),
        init: host.init,
        auto_remove: host.auto_remove,
        restart: RestartPolicy::from_parts(&host.restart_policy.name, host.restart_policy.maximum_retry_count)?,
        binds: host.binds,
        mounts: host.mounts.into_iter().map(mount).collect::<Result<_>>()?,
        tmpfs: host.tmpfs,
        volumes_from: host.volumes_from,
        volume_driver: host.volume_driver,
        read_only_root: host.readonly_rootfs,
        network,
        networks: BTreeMap::new(),
        published_ports,
        publish_all_ports: host.publish_all_ports,
        extra_hosts: host.extra_hosts,
        dns: host.dns,
        dns_options: host.dns_options,
        dns_search: host.dns_search,
        pid: host.pid_mode.parse()?,
        ipc: host.ipc_mode.parse()?,
        uts: host.uts_mode.parse()?,
        cgroup: if host.cgroupns_mode.is_empty() { None } else { Some(host.cgroupns_mode.parse()?) },
        cgroup_parent: host.cgroup_parent,
        capabilities_add: host.cap_add,
        capabilities_drop: host.cap_drop,
        privileged: host.privileged,
        security_options: host.security_opt,
        group_add: host.group_add,
        sysctls: host.sysctls,
        masked_paths: host.masked_paths,
        read_only_paths: host.readonly_paths,
        devices: host.devices.into_iter().map(device).collect(),
        device_rules: host.device_cgroup_rules,
        resources,
        ulimits: host
            .ulimits
            .into_iter()
            .map(|limit| Ulimit { name: limit.name, soft: limit.soft, hard: limit.hard })
            .collect(),
        shm_size: match unsigned("ShmSize", host.shm_size)? {
            0 => None,
            bytes => Some(bytes),
        },
        oom_score_adj: i32::try_from(host.oom_score_adj)
            .map_err(|_| Error::invalid("invalid OomScoreAdj: use a number from -1000 to 1000"))?,
        log: LogSettings { driver: host.log_config.kind, options: host.log_config.config },
        console_size: console_size(host.console_size),
        id_file: host.container_id_file,
        runtime: host.runtime,
    })
}

/// The limits that an update changes.
///
/// # Errors
/// As [`request`]; `Unsupported` for everything else that an update asks for, but the restart policy.
pub(crate) fn changed_limits(change: &HostConfig) -> Result<ResourceLimits> {
    let known = HostConfig {
        memory: change.memory,
        memory_swap: change.memory_swap,
        memory_reservation: change.memory_reservation,
        nano_cpus: change.nano_cpus,
        cpu_shares: change.cpu_shares,
        cpu_period: change.cpu_period,
        cpu_quota: change.cpu_quota,
        cpuset_cpus: change.cpuset_cpus.clone(),
        cpuset_mems: change.cpuset_mems.clone(),
        pids_limit: change.pids_limit,
        restart_policy: change.restart_policy.clone(),
        ..HostConfig::default()
    };
    match *change == known {
        true => resources(&known),
        false => Err(Error::unsupported(
            "update: only limits of memory, processors and tasks and the restart policy can be changed",
        )),
    }
}

fn resources(host: &HostConfig) -> Result<ResourceLimits> {
    Ok(ResourceLimits {
        memory: unsigned("Memory", host.memory)?,
        memory_swap: host.memory_swap,
        memory_reservation: unsigned("MemoryReservation", host.memory_reservation)?,
        // -1 is what old clients send for not set.
        memory_swappiness: host
            .memory_swappiness
            .filter(|value| *value != -1)
            .map(|value| unsigned("MemorySwappiness", value))
            .transpose()?,
        oom_kill_disable: host.oom_kill_disable.unwrap_or(false),
        nano_cpus: unsigned("NanoCpus", host.nano_cpus)?,
        cpu_shares: unsigned("CpuShares", host.cpu_shares)?,
        cpu_period: unsigned("CpuPeriod", host.cpu_period)?,
        cpu_quota: host.cpu_quota,
        cpuset_cpus: host.cpuset_cpus.clone(),
        cpuset_mems: host.cpuset_mems.clone(),
        pids: host.pids_limit,
    })
}

fn published_ports(host: &mut HostConfig) -> BTreeMap<String, Vec<PortBinding>> {
    let bindings = std::mem::take(&mut host.port_bindings).into_iter();
    bindings
        .map(|(port, bindings)| {
            let bindings = bindings.unwrap_or_default().into_iter();
            (port, bindings.map(|one| PortBinding { host_address: one.host_ip, host_port: one.host_port }).collect())
        })
        .collect()
}

fn device(device: crate::types::DeviceMapping) -> DeviceMapping {
    DeviceMapping {
        host_path: device.path_on_host,
        container_path: device.path_in_container,
        permissions: device.cgroup_permissions,
    }
}

fn mount(mount: Mount) -> Result<MountRequest> {
    let options = [
        ("BindOptions", "bind", mount.bind_options.is_some()),
        ("VolumeOptions", "volume", mount.volume_options.is_some()),
        ("TmpfsOptions", "tmpfs", mount.tmpfs_options.is_some()),
        ("ImageOptions", "image", mount.image_options.is_some()),
    ];
    if let Some((field, ..)) = options.iter().find(|(_, kind, given)| *given && *kind != mount.kind) {
        return Err(Error::invalid(format!(
            "invalid mount config for type \"{}\": field {field} must not be specified",
            mount.kind
        )));
    }
    let (target, read_only) = (mount.target.clone(), mount.read_only);
    let kind = match mount.kind.as_str() {
        "bind" => bind(mount),
        "volume" => volume(mount),
        "tmpfs" => tmpfs(mount)?,
        "image" | "npipe" | "cluster" => return Err(unsupported(&format!("mounts of type {}", mount.kind))),
        other => return Err(Error::invalid(format!("mount type unknown: {other:?}: use one of bind, volume, tmpfs"))),
    };
    Ok(MountRequest { target, read_only, kind })
}

fn bind(mount: Mount) -> MountKind {
    let options = mount.bind_options.unwrap_or_default();
    MountKind::Bind {
        source: mount.source,
        propagation: options.propagation,
        non_recursive: options.non_recursive,
        create_source: options.create_mountpoint,
        read_only_reach: match (options.read_only_force_recursive, options.read_only_non_recursive) {
            (true, _) => ReadOnlyReach::Everything,
            (false, true) => ReadOnlyReach::TopOnly,
            (false, false) => ReadOnlyReach::WherePossible,
        },
    }
}

fn volume(mount: Mount) -> MountKind {
    let options = mount.volume_options.unwrap_or_default();
    let driver = options.driver_config.unwrap_or_default();
    MountKind::Volume {
        name: mount.source,
        no_copy: options.no_copy,
        subpath: options.subpath,
        labels: options.labels,
        driver: driver.name,
        driver_options: driver.options,
    }
}

fn tmpfs(mount: Mount) -> Result<MountKind> {
    if !mount.source.is_empty() {
        return Err(Error::invalid("invalid mount config for type \"tmpfs\": field Source must not be specified"));
    }
    let options = mount.tmpfs_options.unwrap_or_default();
    let mode = options
        .mode
        .map(|mode| u32::try_from(mode).map_err(|_| Error::invalid(format!("invalid mode {mode} of a tmpfs"))));
    Ok(MountKind::Tmpfs {
        // Zero is what clients send for no bound.
        size_bytes: options.size_bytes.filter(|size| *size != 0).map(|size| unsigned("SizeBytes", size)).transpose()?,
        mode: mode.transpose()?.filter(|mode| *mode != 0),
        options: options.options.into_iter().map(|parts| parts.join("=")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(body: serde_json::Value) -> Result<CreateRequest> {
        request(serde_json::from_value(body).unwrap(), Some("web"), None)
    }

    #[test]
    fn what_dockers_client_sends_is_taken() {
        // As `docker run -it --rm -v data:/data --mount type=tmpfs,target=/t alpine sh` sends it.
        let body = json!({
            "Hostname": "", "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": true, "OpenStdin": true, "StdinOnce": true,
            "Env": null, "Cmd": ["sh"], "Image": "alpine", "Volumes": {}, "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": {},
            "HostConfig": {
                "Binds": ["data:/data"], "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}}, "NetworkMode": "default",
                "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": true, "VolumeDriver": "",
                "VolumesFrom": null, "ConsoleSize": [24, 80], "CapAdd": null, "Dns": [], "MemorySwappiness": -1, "OomKillDisable": false,
                "PidsLimit": 0, "Ulimits": [], "MaskedPaths": null, "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {}}],
                "BlkioWeight": 0, "BlkioWeightDevice": [], "DeviceRequests": null
            },
            "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": null, "Links": null, "MacAddress": ""}}}
        });
        let request = parsed(body).unwrap();
        assert_eq!(request.name.as_deref(), Some("web"));
        let settings = request.settings;
        assert_eq!(settings.command, Some(vec!["sh".to_owned()]));
        assert!(settings.terminal && settings.auto_remove && settings.stdin_once);
        assert_eq!((settings.console_size, settings.pid), ((24, 80), Default::default()));
        assert_eq!(settings.mounts.len(), 1);
        assert_eq!(settings.resources.memory_swappiness, None);
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let table = [
            (json!({"HostConfig": {"Annotations": {"a": "b"}}}), 501, "HostConfig.Annotations"),
            (json!({"HostConfig": {"UsernsMode": "remap"}}), 501, "HostConfig.UsernsMode"),
            (json!({"Healthcheck": {"Test": ["CMD", "true"]}}), 501, "Healthcheck"),
            (
                json!({"NetworkingConfig": {"EndpointsConfig": {"front": {"DriverOpts": {"a": "b"}}}}}),
                501,
                "NetworkingConfig.EndpointsConfig.front.DriverOpts",
            ),
            (
                json!({"NetworkingConfig": {"EndpointsConfig": {"front": {"IPAMConfig": {"IPv4Address": "x"}}}}}),
                400,
                "invalid IPv4 address: x",
            ),
            (
                json!({
                    "MacAddress": "02:00:00:00:00:01", "HostConfig": {"NetworkMode": "front"},
                    "NetworkingConfig": {"EndpointsConfig": {"front": {"MacAddress": "02:00:00:00:00:02"}}}
                }),
                400,
                "container-wide MAC address",
            ),
            (json!({"HostConfig": {"Mounts": [{"Type": "image", "Target": "/i"}]}}), 501, "type image"),
            (
                json!({"HostConfig": {"Mounts": [{"Type": "bind", "Target": "/i", "VolumeOptions": {}}]}}),
                400,
                "VolumeOptions",
            ),
            (json!({"HostConfig": {"Memory": -5}}), 400, "Memory"),
            (json!({"HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}), 400, "sometimes"),
            (json!({"HostConfig": {"PidMode": "x"}}), 400, "PID"),
        ];
        for (body, status, word) in table {
            let error = parsed(body).unwrap_err();
            assert_eq!(error.http_status(), status, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn networks_and_what_is_asked_of_them() {
        let settings = parsed(json!({
            "MacAddress": "02:42:ac:11:00:02", "HostConfig": {"NetworkMode": "front", "Links": ["db:store"]},
            "NetworkingConfig": {"EndpointsConfig": {
                "front": {"IPAMConfig": {"IPv4Address": "10.9.0.9", "IPv6Address": "fd00::9"}, "Aliases": ["www"], "GwPriority": 3},
                "back": null
            }}
        }))
        .unwrap()
        .settings;
        assert_eq!(settings.network, NetworkMode::Named("front".to_owned()));
        let expected = EndpointRequest {
            aliases: vec!["www".to_owned()],
            links: vec!["db:store".to_owned()],
            ipv4: Some("10.9.0.9".parse().unwrap()),
            ipv6: Some("fd00::9".parse().unwrap()),
            hardware_address: Some("02:42:ac:11:00:02".to_owned()),
            gateway_priority: 3,
        };
        let back = ("back".to_owned(), EndpointRequest::default());
        assert_eq!(settings.networks, [("front".to_owned(), expected), back].into());
        let old = parsed(json!({"MacAddress": "02:42:ac:11:00:02"})).unwrap().settings;
        assert_eq!(old.networks["default"].hardware_address.as_deref(), Some("02:42:ac:11:00:02"));
    }

    #[test]
    fn a_command_may_be_one_text() {
        let settings = parsed(json!({"Cmd": "ls", "Entrypoint": ["sh", "-c"]})).unwrap().settings;
        assert_eq!(settings.command, Some(vec!["ls".to_owned()]));
        assert_eq!(settings.entrypoint, Some(vec!["sh".to_owned(), "-c".to_owned()]));
    }
}
