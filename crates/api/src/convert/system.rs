//! The engine itself.

use std::collections::BTreeMap;

use base::Result;
use engine::events;
use engine::system::{SystemInfo, Version};

use super::line;
use crate::router::versions;
use crate::types::{self, Actor, Component, IndexConfig, Info, Platform, Plugins, RegistryConfig, Runtime, Swarm};

pub(crate) fn version(version: Version) -> types::Version {
    let (newest, oldest) = versions();
    let details = [
        ("ApiVersion", newest.clone()),
        ("Arch", version.architecture.clone()),
        ("KernelVersion", version.kernel_version.clone()),
        ("MinAPIVersion", oldest.clone()),
        ("Os", version.operating_system.to_owned()),
    ];
    let engine = Component {
        name: "Engine".to_owned(),
        version: version.version.to_owned(),
        details: details.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    types::Version {
        platform: Platform { name: "berth".to_owned() },
        components: vec![engine],
        version: version.version.to_owned(),
        api_version: newest,
        min_api_version: oldest,
        os: version.operating_system.to_owned(),
        arch: version.architecture,
        kernel_version: version.kernel_version,
        ..types::Version::default()
    }
}

pub(crate) fn info(info: SystemInfo) -> Info {
    let registry_config = registries(&info);
    let (security_options, warnings) = (security_options(&info), warnings(&info));
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Info {
        id: info.id,
        containers: info.containers,
        containers_running: info.containers_running,
        containers_paused: info.containers_paused,
        containers_stopped: info.containers_stopped,
        images: info.images,
        driver: info.storage_driver.to_owned(),
        driver_status: info.storage_status.into_iter().map(|(name, value)| [name, value]).collect(),
        docker_root_dir: info.root.display().to_string(),
        plugins: Plugins {
            volume: owned(&["local"]),
            network: owned(&["bridge", "host", "macvlan", "null"]),
            authorization: None,
            log: owned(&["json-file", "local", "none"]),
        },
        memory_limit: info.memory_limit,
        swap_limit: info.swap_limit,
        cpu_cfs_period: info.cpu_quota,
        cpu_cfs_quota: info.cpu_quota,
        cpu_shares: info.cpu_shares,
        cpu_set: info.cpuset,
        pids_limit: info.pids_limit,
        oom_kill_disable: info.memory_limit && info.cgroup_version == "1",
        open_files: info.open_files,
        system_time: info.time.rfc3339_nano(),
        logging_driver: info.log_driver,
        cgroup_driver: info.cgroup_driver.to_owned(),
        cgroup_version: info.cgroup_version.to_owned(),
        kernel_version: info.kernel_version,
        operating_system: info.operating_system,
        os_version: info.operating_system_version,
        os_type: "linux".to_owned(),
        architecture: info.architecture,
        processors: info.processors as u64,
        mem_total: info.memory_total,
        index_server_address: "https://index.docker.io/v1/".to_owned(),
        registry_config,
        http_proxy: info.proxies.http_proxy.unwrap_or_default(),
        https_proxy: info.proxies.https_proxy.unwrap_or_default(),
        no_proxy: info.proxies.no_proxy.unwrap_or_default(),
        labels: info.labels,
        name: info.name,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        runtimes: BTreeMap::from([("berth".to_owned(), Runtime { path: "berth".to_owned() })]),
        default_runtime: "berth".to_owned(),
        swarm: Swarm { local_node_state: "inactive".to_owned(), ..Swarm::default() },
        // No engine owns a container: they always outlive it.
        live_restore_enabled: true,
        init_binary: "berth".to_owned(),
        security_options,
        warnings,
        ..Info::default()
    }
}

fn security_options(info: &SystemInfo) -> Vec<String> {
    let filter = format!("name=seccomp,profile={}", info.system_call_filter);
    let no_new_privileges = info.no_new_privileges.then(|| "name=no-new-privileges".to_owned());
    [filter, "name=cgroupns".to_owned()].into_iter().chain(no_new_privileges).collect()
}

/// What a person should know.
fn warnings(info: &SystemInfo) -> Vec<String> {
    let table = [
        (info.memory_limit, "memory limit"),
        (info.cpu_quota, "cpu cfs quota"),
        (info.cpuset, "cpuset"),
        (info.pids_limit, "pids limit"),
        (info.swap_limit || !info.memory_limit, "swap limit"),
    ];
    let lacking = table.into_iter().filter(|(has, _)| !has);
    lacking.map(|(_, what)| format!("WARNING: No {what} support")).collect()
}

fn registries(info: &SystemInfo) -> RegistryConfig {
    let plain = info.plain_http_registries.iter().filter(|host| !host.contains('/'));
    let hub = IndexConfig { name: "docker.io".to_owned(), mirrors: info.mirrors.clone(), secure: true, official: true };
    let others = plain.map(|host| (host.clone(), IndexConfig { name: host.clone(), ..IndexConfig::default() }));
    let networks = info.plain_http_registries.iter().filter(|host| host.contains('/')).cloned();
    RegistryConfig {
        insecure_registry_cidrs: ["::1/128".to_owned(), "127.0.0.0/8".to_owned()].into_iter().chain(networks).collect(),
        index_configs: others.chain([("docker.io".to_owned(), hub)]).collect(),
        mirrors: info.mirrors.clone(),
    }
}

/// An event as a line.
pub(crate) fn event_line(event: events::Event) -> Result<Vec<u8>> {
    let old = matches!(event.kind.as_str(), "container" | "image");
    let from = event.attributes.get("image").filter(|_| event.kind == "container").cloned();
    line(&types::Event {
        status: if old { event.action.clone() } else { String::new() },
        id: if old { event.subject.clone() } else { String::new() },
        from: from.unwrap_or_default(),
        kind: event.kind,
        action: event.action,
        actor: Actor { id: event.subject, attributes: event.attributes },
        scope: "local".to_owned(),
        time: event.time.unix_seconds(),
        time_nano: event.time.unix_nanoseconds(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::Timestamp;

    #[test]
    fn events_have_their_old_members_too() {
        let event = events::Event {
            time: Timestamp::from_unix(1_700_000_000, 5),
            kind: "container".to_owned(),
            action: "start".to_owned(),
            subject: "ab".to_owned(),
            attributes: [("image".to_owned(), "alpine".to_owned())].into(),
        };
        let expected = concat!(
            r#"{"status":"start","id":"ab","from":"alpine","Type":"container","Action":"start","#,
            r#""Actor":{"ID":"ab","Attributes":{"image":"alpine"}},"scope":"local","time":1700000000,"timeNano":1700000000000000005}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(event_line(event).unwrap()).unwrap(), expected);
    }

    #[test]
    fn the_version_names_this_api() {
        let version = version(Version {
            version: "1.2.3",
            operating_system: "linux",
            architecture: "amd64".to_owned(),
            kernel_version: "6.1".to_owned(),
        });
        let value = serde_json::to_value(version).unwrap();
        assert_eq!((&value["ApiVersion"], &value["MinAPIVersion"]), (&"1.51".into(), &"1.24".into()));
        assert_eq!(value["Components"][0]["Details"]["KernelVersion"], "6.1");
    }
}
