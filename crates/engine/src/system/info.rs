//! What this engine and its host are and can do.

use std::path::PathBuf;

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;

use crate::caller::Operation;
use crate::configuration::Proxies;
use crate::containers::Status;
use crate::{Caller, Engine};

/// Facts for `info`.
#[derive(Clone, Debug)]
pub struct SystemInfo {
    /// Of this state root, stable.
    pub id: String,
    /// Containers in any state.
    pub containers: u64,
    /// Those that run.
    pub containers_running: u64,
    /// Those that are frozen.
    pub containers_paused: u64,
    /// All others.
    pub containers_stopped: u64,
    /// Images.
    pub images: u64,
    /// `overlay`.
    pub storage_driver: &'static str,
    /// Facts of the storage: file system, what it lacks.
    pub storage_status: Vec<(String, String)>,
    /// State root.
    pub root: PathBuf,
    /// Run root.
    pub runroot: PathBuf,
    /// `1` or `2`.
    pub cgroup_version: &'static str,
    /// `cgroupfs`.
    pub cgroup_driver: &'static str,
    /// Whether a limit of memory works here.
    pub memory_limit: bool,
    /// Whether one of swap does.
    pub swap_limit: bool,
    /// Whether one of processor time does.
    pub cpu_quota: bool,
    /// Whether weights of processors do.
    pub cpu_shares: bool,
    /// Whether a choice of processors does.
    pub cpuset: bool,
    /// Whether a limit of tasks does.
    pub pids_limit: bool,
    /// As in `uname -r`.
    pub kernel_version: String,
    /// As in `/etc/os-release`.
    pub operating_system: String,
    /// Its version.
    pub operating_system_version: String,
    /// As in `x86_64`.
    pub architecture: String,
    /// Processors that can be used.
    pub processors: usize,
    /// Bytes.
    pub memory_total: u64,
    /// Host name.
    pub name: String,
    /// How system calls of new containers are filtered: `builtin`, `unconfined` or `custom`.
    pub system_call_filter: &'static str,
    /// Whether their processes can never gain privileges.
    pub no_new_privileges: bool,
    /// The log driver that new containers get.
    pub log_driver: String,
    /// Open files of this process.
    pub open_files: u64,
    /// Now.
    pub time: Timestamp,
    /// Registries that are spoken to in plain http, beside those on loopback.
    pub plain_http_registries: Vec<String>,
    /// Mirrors of docker.io.
    pub mirrors: Vec<String>,
    /// Proxies for the engine's own requests.
    pub proxies: Proxies,
    /// Labels of the engine.
    pub labels: Vec<String>,
}

/// Containers by what they do.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    running: u64,
    paused: u64,
    stopped: u64,
}

impl Engine {
    /// Facts about this engine and its host.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn info(&self, caller: &Caller) -> Result<SystemInfo> {
        caller.permit(Operation::Read, "info")?;
        let count = self.count_containers()?;
        let kernel = rustix::system::uname();
        let (operating_system, operating_system_version) = operating_system();
        let configuration = self.configuration();
        let cgroups = cgroup_facts();
        let filter = match configuration.seccomp_profile.as_deref() {
            None | Some("" | "builtin") => "builtin",
            Some("unconfined") => "unconfined",
            Some(_) => "custom",
        };
        Ok(SystemInfo {
            id: self.root_identity(),
            containers: count.running + count.paused + count.stopped,
            containers_running: count.running,
            containers_paused: count.paused,
            containers_stopped: count.stopped,
            images: self.count_images()?,
            storage_driver: "overlay",
            storage_status: self.storage_status(),
            root: self.root.layout.root().to_owned(),
            runroot: self.root.layout.runroot().to_owned(),
            cgroup_version: cgroups.version,
            cgroup_driver: "cgroupfs",
            memory_limit: cgroups.has("memory"),
            swap_limit: cgroups.swap,
            cpu_quota: cgroups.has("cpu"),
            cpu_shares: cgroups.has("cpu"),
            cpuset: cgroups.has("cpuset"),
            pids_limit: cgroups.has("pids"),
            kernel_version: kernel.release().to_string_lossy().into_owned(),
            operating_system,
            operating_system_version,
            architecture: kernel.machine().to_string_lossy().into_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_total: memory_total(),
            name: kernel.nodename().to_string_lossy().into_owned(),
            system_call_filter: filter,
            no_new_privileges: configuration.no_new_privileges,
            log_driver: configuration.log_driver.clone().unwrap_or_else(|| "json-file".to_owned()),
            open_files: std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            time: Timestamp::now(),
            plain_http_registries: configuration.insecure_registries.clone(),
            mirrors: configuration.registry_mirrors.clone(),
            proxies: configuration.proxies.clone(),
            labels: configuration.labels.clone(),
        })
    }

    fn count_containers(&self) -> Result<Count> {
        let mut count = Count::default();
        for id in self.root.container_ids()? {
            let Some(container) = self.root.load(&id).unwrap_or_default() else { continue };
            match container.view()?.status {
                Status::Running | Status::Restarting => count.running += 1,
                Status::Paused => count.paused += 1,
                _ => count.stopped += 1,
            }
        }
        Ok(count)
    }

    /// A number that stays the same as long as the root stays where it is.
    fn root_identity(&self) -> String {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let path = self.root.layout.root().display();
        Digest::sha256(format!("{}:{path}", machine.trim()).as_bytes()).hex()[..32].to_owned()
    }

    fn storage_status(&self) -> Vec<(String, String)> {
        let kind = rustix::fs::fstatfs(self.root.directory())
            .map_or("unknown", |status| file_system_name(status.f_type as u64));
        vec![
            ("Backing Filesystem".to_owned(), kind.to_owned()),
            ("Supports d_type".to_owned(), "true".to_owned()),
            ("Using metacopy".to_owned(), "false".to_owned()),
        ]
    }
}

fn file_system_name(magic: u64) -> &'static str {
    match magic & 0xffff_ffff {
        0xef53 => "extfs",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x2fc1_2fc1 => "zfs",
        0x794c_7630 => "overlayfs",
        0xf2f5_2010 => "f2fs",
        _ => "unknown",
    }
}

/// What the host's control groups can do.
#[derive(Debug, Default)]
struct CgroupFacts {
    version: &'static str,
    controllers: Vec<String>,
    swap: bool,
}

impl CgroupFacts {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|own| own == controller)
    }
}

// Controllers that v1 hierarchies hold are listed in /proc/cgroups with their number, those of v2 in its top directory.
fn cgroup_facts() -> CgroupFacts {
    if let Ok(text) = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers") {
        let controllers = text.split_whitespace().map(str::to_owned).collect();
        return CgroupFacts { version: "2", controllers, swap: true };
    }
    let text = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
    let enabled = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.len() == 4 && words[1] != "0" && words[3] == "1").then(|| words[0].to_owned())
    });
    let swap = std::path::Path::new("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists();
    CgroupFacts { version: "1", controllers: enabled.collect(), swap }
}

fn operating_system() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let name = value("PRETTY_NAME");
    (if name.is_empty() { "Linux".to_owned() } else { name }, value("VERSION_ID"))
}

fn memory_total() -> u64 {
    let information = rustix::system::sysinfo();
    (information.totalram as u64).saturating_mul(u64::from(information.mem_unit))
}
