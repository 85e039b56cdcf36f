//! Everything of a container, and of an exec.

use std::collections::BTreeMap;

use engine::containers::{
    Details, ExecDetails, MountKind, MountRequest, ProcessState, ReadOnlyReach, Settings, Status,
};

use super::list::mount;
use super::signed;
use crate::types::{
    BindOptions, ContainerConfig, ContainerInspect, ContainerState, DeviceMapping, DriverConfig, Empty,
    EndpointSettings, ExecInspect, ExecProcess, GraphDriver, HostConfig, LogConfig, ManifestDescriptor, Mount,
    NetworkSettings, PortBinding, RestartPolicy, Set, TmpfsOptions, Ulimit, VolumeOptions,
};

pub(crate) fn container(details: Details) -> ContainerInspect {
    let settings = details.settings;
    let exec_ids: Vec<String> = details.exec_ids.iter().map(ToString::to_string).collect();
    let networks = details.networks.into_iter().map(|(name, own)| (name, super::network::endpoint(own)));
    let networks: BTreeMap<String, EndpointSettings> = networks.collect();
    let mut host_config = host(&settings);
    host_config.masked_paths = Some(details.masked_paths);
    host_config.readonly_paths = Some(details.read_only_paths);
    ContainerInspect {
        id: details.id.to_string(),
        created: details.created.rfc3339_nano(),
        path: details.path,
        args: details.arguments,
        state: state(details.state),
        image: details.image_id.to_string(),
        resolv_conf_path: details.resolv_conf_path.display().to_string(),
        hostname_path: details.hostname_path.display().to_string(),
        hosts_path: details.hosts_path.display().to_string(),
        log_path: details.log_path.display().to_string(),
        name: format!("/{}", details.name),
        restart_count: details.restart_count,
        driver: details.storage_driver.to_owned(),
        platform: details.platform.split('/').next().unwrap_or_default().to_owned(),
        image_manifest_descriptor: Some(ManifestDescriptor {
            digest: details.manifest.to_string(),
            ..ManifestDescriptor::default()
        }),
        process_label: String::new(),
        mount_label: String::new(),
        app_armor_profile: details.apparmor_profile,
        exec_ids: (!exec_ids.is_empty()).then_some(exec_ids),
        host_config,
        graph_driver: GraphDriver { data: details.storage, name: details.storage_driver.to_owned() },
        size_rw: None,
        size_root_fs: None,
        mounts: details.mounts.into_iter().map(mount).collect(),
        config: config(settings),
        network_settings: NetworkSettings {
            sandbox_id: details.id.to_string(),
            sandbox_key: details.network_namespace.map(|path| path.display().to_string()).unwrap_or_default(),
            ports: super::network::bindings(details.ports),
            ..on_default_bridge(networks)
        },
    }
}

/// What the container has on the default bridge is also shown outside of the networks, where clients looked before there were others.
fn on_default_bridge(networks: BTreeMap<String, EndpointSettings>) -> NetworkSettings {
    let bridge = networks.get("bridge").cloned().unwrap_or_default();
    NetworkSettings {
        endpoint_id: bridge.endpoint_id,
        gateway: bridge.gateway,
        global_ipv6_address: bridge.global_ipv6_address,
        global_ipv6_prefix_len: bridge.global_ipv6_prefix_len,
        ip_address: bridge.ip_address,
        ip_prefix_len: bridge.ip_prefix_len,
        ipv6_gateway: bridge.ipv6_gateway,
        mac_address: bridge.mac_address,
        networks,
        ..NetworkSettings::default()
    }
}

fn state(state: ProcessState) -> ContainerState {
    ContainerState {
        status: state.status.as_str().to_owned(),
        // Docker's clients count a frozen and a waiting one among those that run.
        running: state.status.is_alive(),
        paused: state.status == Status::Paused,
        restarting: state.status == Status::Restarting,
        oom_killed: state.oom_killed,
        dead: state.status == Status::Dead,
        pid: state.pid,
        exit_code: state.exit_code.into(),
        error: state.error,
        started_at: state.started.rfc3339_nano(),
        finished_at: state.finished.rfc3339_nano(),
    }
}

fn config(settings: Settings) -> ContainerConfig {
    let set = |keys: std::collections::BTreeSet<String>| keys.into_iter().map(|key| (key, Empty {})).collect::<Set>();
    ContainerConfig {
        hostname: settings.hostname,
        domainname: settings.domainname,
        user: settings.user,
        attach_stdin: settings.attached.stdin,
        attach_stdout: settings.attached.stdout,
        attach_stderr: settings.attached.stderr,
        exposed_ports: set(settings.exposed_ports),
        tty: settings.terminal,
        open_stdin: settings.open_stdin,
        stdin_once: settings.stdin_once,
        env: settings.environment,
        cmd: settings.command,
        image: settings.image,
        volumes: set(settings.volumes),
        working_dir: settings.working_directory,
        entrypoint: settings.entrypoint,
        labels: settings.labels,
        stop_signal: settings.stop_signal,
        stop_timeout: settings.stop_timeout_seconds,
        ..ContainerConfig::default()
    }
}

fn host(settings: &Settings) -> HostConfig {
    let (height, width) = settings.console_size;
    HostConfig {
        binds: settings.binds.clone(),
        container_id_file: settings.id_file.clone(),
        log_config: LogConfig { kind: settings.log.driver.clone(), config: settings.log.options.clone() },
        network_mode: settings.network.to_string(),
        port_bindings: port_bindings(settings),
        restart_policy: RestartPolicy {
            name: settings.restart.name().to_owned(),
            maximum_retry_count: settings.restart.maximum_retries().into(),
        },
        auto_remove: settings.auto_remove,
        volume_driver: settings.volume_driver.clone(),
        volumes_from: settings.volumes_from.clone(),
        mounts: settings.mounts.iter().map(requested_mount).collect(),
        console_size: Some([height.into(), width.into()]),
        cap_add: settings.capabilities_add.clone(),
        cap_drop: settings.capabilities_drop.clone(),
        cgroupns_mode: settings.cgroup.map_or_else(|| "private".to_owned(), |mode| mode.to_string()),
        dns: settings.dns.clone(),
        dns_options: settings.dns_options.clone(),
        dns_search: settings.dns_search.clone(),
        extra_hosts: settings.extra_hosts.clone(),
        group_add: settings.group_add.clone(),
        ipc_mode: match settings.ipc.to_string() {
            // Docker's own default shows as what it is.
            mode if mode.is_empty() => "private".to_owned(),
            mode => mode,
        },
        oom_score_adj: settings.oom_score_adj.into(),
        pid_mode: settings.pid.to_string(),
        privileged: settings.privileged,
        publish_all_ports: settings.publish_all_ports,
        readonly_rootfs: settings.read_only_root,
        security_opt: settings.security_options.clone(),
        tmpfs: settings.tmpfs.clone(),
        uts_mode: settings.uts.to_string(),
        shm_size: signed(settings.shm_size.unwrap_or(64 << 20)),
        sysctls: settings.sysctls.clone(),
        runtime: if settings.runtime.is_empty() { "berth".to_owned() } else { settings.runtime.clone() },
        devices: settings.devices.iter().map(device).collect(),
        device_cgroup_rules: settings.device_rules.clone(),
        cgroup_parent: settings.cgroup_parent.clone(),
        init: settings.init,
        ulimits: settings.ulimits.iter().map(ulimit).collect(),
        ..resources(settings)
    }
}

fn resources(settings: &Settings) -> HostConfig {
    let limits = &settings.resources;
    HostConfig {
        cpu_shares: signed(limits.cpu_shares),
        memory: signed(limits.memory),
        cpu_period: signed(limits.cpu_period),
        cpu_quota: limits.cpu_quota,
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        memory_reservation: signed(limits.memory_reservation),
        memory_swap: limits.memory_swap,
        memory_swappiness: limits.memory_swappiness.map(signed),
        nano_cpus: signed(limits.nano_cpus),
        oom_kill_disable: Some(limits.oom_kill_disable),
        pids_limit: limits.pids,
        ..HostConfig::default()
    }
}

fn port_bindings(settings: &Settings) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let binding = |own: &engine::containers::PortBinding| PortBinding {
        host_ip: own.host_address.clone(),
        host_port: own.host_port.clone(),
    };
    let published = settings.published_ports.iter();
    published.map(|(port, bindings)| (port.clone(), Some(bindings.iter().map(binding).collect()))).collect()
}

fn device(device: &engine::containers::DeviceMapping) -> DeviceMapping {
    DeviceMapping {
        path_on_host: device.host_path.clone(),
        path_in_container: device.container_path.clone(),
        cgroup_permissions: device.permissions.clone(),
    }
}

fn ulimit(limit: &engine::containers::Ulimit) -> Ulimit {
    Ulimit { name: limit.name.clone(), hard: limit.hard, soft: limit.soft }
}

fn requested_mount(request: &MountRequest) -> Mount {
    let mount = Mount { target: request.target.clone(), read_only: request.read_only, ..Mount::default() };
    match &request.kind {
        MountKind::Bind { source, propagation, non_recursive, create_source, read_only_reach } => {
            let options = BindOptions {
                propagation: propagation.clone(),
                non_recursive: *non_recursive,
                create_mountpoint: *create_source,
                read_only_non_recursive: *read_only_reach == ReadOnlyReach::TopOnly,
                read_only_force_recursive: *read_only_reach == ReadOnlyReach::Everything,
            };
            let bind_options = (options != BindOptions::default()).then_some(options);
            Mount { kind: "bind".to_owned(), source: source.clone(), bind_options, ..mount }
        }
        MountKind::Volume { name, no_copy, subpath, labels, driver, driver_options } => {
            let driver = DriverConfig { name: driver.clone(), options: driver_options.clone() };
            let options = VolumeOptions {
                no_copy: *no_copy,
                labels: labels.clone(),
                subpath: subpath.clone(),
                driver_config: (driver != DriverConfig::default()).then_some(driver),
            };
            let volume_options = (options != VolumeOptions::default()).then_some(options);
            Mount { kind: "volume".to_owned(), source: name.clone(), volume_options, ..mount }
        }
        MountKind::Tmpfs { size_bytes, mode, options } => {
            let pair = |option: &String| option.splitn(2, '=').map(str::to_owned).collect();
            let options = TmpfsOptions {
                size_bytes: size_bytes.map(signed),
                mode: mode.map(i64::from),
                options: options.iter().map(pair).collect(),
            };
            let tmpfs_options = (options != TmpfsOptions::default()).then_some(options);
            Mount { kind: "tmpfs".to_owned(), tmpfs_options, ..mount }
        }
    }
}

pub(crate) fn exec(details: ExecDetails) -> ExecInspect {
    let request = details.request;
    let mut command = request.command.into_iter();
    ExecInspect {
        id: details.id.to_string(),
        running: details.running,
        exit_code: details.exit_code.map(i64::from),
        process_config: ExecProcess {
            tty: request.terminal,
            entrypoint: command.next().unwrap_or_default(),
            arguments: command.collect(),
            privileged: request.privileged,
            user: request.user,
        },
        open_stdin: request.attach_stdin,
        open_stderr: request.attach_stderr,
        open_stdout: request.attach_stdout,
        can_remove: false,
        container_id: details.container.to_string(),
        detach_keys: String::new(),
        pid: details.pid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_create_took_inspect_shows() {
        let body: crate::types::CreateContainer = serde_json::from_value(serde_json::json!({
            "Image": "alpine", "Cmd": ["sh"], "Env": ["A=b"], "Labels": {"x": "y"}, "ExposedPorts": {"80/tcp": {}}, "StopTimeout": 3,
            "HostConfig": {
                "NetworkMode": "none", "Memory": 1048576, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}, "IpcMode": "host",
                "CapAdd": ["NET_ADMIN"], "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "ShmSize": 65536, "ConsoleSize": [1, 2],
                "PidsLimit": 7, "OomKillDisable": false, "Runtime": "berth", "CgroupnsMode": "private",
                "Mounts": [
                    {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": true, "BindOptions": {"Propagation": "rslave"}},
                    {"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": {"NoCopy": true, "Subpath": "s"}},
                    {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 9, "Options": [["noexec"], ["uid", "5"]]}}
                ],
                "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
                "Binds": ["/x:/y:ro"], "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}
            }
        }))
        .unwrap();
        let settings = super::super::create::request(body.clone(), None, None).unwrap().settings;
        assert_eq!(host(&settings), body.host_config);
        assert_eq!(config(settings), body.config);
    }
}
