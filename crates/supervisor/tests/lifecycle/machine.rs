//! A place for containers, and one container in it.

use base::id::Id;
use base::{Kind, Result};
use runtime::spec::{ControlGroup, Mount, MountOptions, MountSource, Namespaces, Process, Propagation, Root, Spec};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use supervisor::client::{self, Client, CreateRequest, ProcessRequest, Running, Starting};
use supervisor::plan::{AfterExit, Durability, Log, Plan, Stdin};
use supervisor::protocol::{Attach, Pace};
use supervisor::restart::Policy;
use supervisor::state::{Observed, State, observe};

/// Long enough for a busy machine; nothing waits so long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// All streams, in the foreground.
pub const ALL: Attach = Attach { stdin: true, stdout: true, stderr: true, pace: Pace::Wait };

/// What the engine would do when it is called back: it leaves a note.
pub fn called_back(arguments: &[String]) -> ExitCode {
    let (root, what) = (&arguments[1], &arguments[4..]);
    let root = Path::new(root);
    std::fs::write(root.join("calling"), what.join(" ")).unwrap();
    std::fs::rename(root.join("calling"), root.join("called")).unwrap();
    ExitCode::SUCCESS
}

/// One container with a state root of its own.
pub struct Machine {
    pub root: PathBuf,
    pub directory: OwnedFd,
    pub plan: Plan,
}

impl Machine {
    /// A container that runs `script` in a shell.
    pub fn new(script: &str) -> Self {
        Self::with_arguments(&["/bin/sh", "-c", script])
    }

    pub fn with_arguments(arguments: &[&str]) -> Self {
        let id = Id::random().unwrap();
        let root = std::env::temp_dir().join(format!("berth-supervisor-{}", id.short()));
        let container = root.join("containers").join(id.as_str());
        let directory = base::file::make_directories(&container, 0o700).unwrap();
        let system = root.join("system");
        for folder in ["bin", "proc", "dev", "sys", "tmp", "etc"] {
            base::file::make_directories(&system.join(folder), 0o755).unwrap();
        }
        std::fs::copy("/bin/busybox", system.join("bin/busybox")).unwrap();
        for name in ["sh", "sleep", "cat", "stty", "true", "kill", "dd", "head", "tail", "ps"] {
            std::os::unix::fs::symlink("busybox", system.join("bin").join(name)).unwrap();
        }
        let plan = plan(id, &root, system, arguments);
        Self { root, directory, plan }
    }

    pub fn spawn(&self) -> Result<Starting> {
        let plan = &self.plan;
        let process = client::Process::start(&ProcessRequest {
            id: &plan.id,
            cgroup_parent: &plan.cgroup_parent,
            restart: plan.restart,
            binary: &plan.binary,
            root: &plan.root,
            runroot: &plan.runroot,
            configuration: plan.configuration.as_deref(),
        })?;
        process.create(&CreateRequest { plan, directory: self.directory.as_fd(), joined: &BTreeMap::new() })
    }

    pub fn run(&self) -> Running {
        self.spawn().unwrap().release(None).unwrap()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.directory.as_fd()).unwrap().unwrap()
    }

    pub fn observe(&self) -> Observed {
        observe(self.directory.as_fd()).unwrap()
    }

    pub fn state(&self) -> State {
        State::read(self.directory.as_fd()).unwrap().unwrap()
    }

    /// The state after the container has exited for good.
    pub fn exited(&self) -> State {
        let mut last = None;
        let found = wait_until(|| {
            let observed = self.observe();
            let found = if let Observed::Exited(state) = &observed { Some(state.clone()) } else { None };
            last = Some(observed);
            found
        });
        found.unwrap_or_else(|| panic!("it has not exited: {last:?}"))
    }

    pub fn log(&self) -> Vec<String> {
        let mut reader = logs::Reader::open(self.directory.as_fd(), "log", logs::ReadRequest::default()).unwrap();
        std::iter::from_fn(|| reader.next_entry().unwrap()).map(|entry| entry.line).collect()
    }

    pub fn called(&self) -> Option<String> {
        std::fs::read_to_string(self.root.join("called")).ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(Some(client)) = Client::connect(self.directory.as_fd()) {
            let _ = client.signal(9, supervisor::protocol::SignalMeaning::End);
            self.exited();
        }
        let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT)).unwrap();
        if let Ok(group) = cgroup::Group::open(&host, &self.plan.spec.cgroup.path) {
            group.kill().unwrap();
            group.remove().unwrap();
        }
        cgroup::remove_supervisors(&host, &self.plan.cgroup_parent);
        // The engine that is called back may still be writing its note.
        wait_until(|| std::fs::remove_dir_all(&self.root).ok()).unwrap();
    }
}

fn plan(id: Id, root: &Path, system: PathBuf, arguments: &[&str]) -> Plan {
    let parent = format!("/berth-test-{}", id.short());
    let cgroup = ControlGroup { path: format!("{parent}/{id}"), resources: Default::default(), writable: false };
    let process = process(arguments);
    let mount = |source, target: &str| Mount {
        source,
        target: target.to_owned(),
        options: MountOptions { no_suid: true, no_exec: true, ..MountOptions::default() },
        propagation: Propagation::default(),
    };
    let dev = MountSource::Tmpfs { options: vec![("mode".to_owned(), "755".to_owned())] };
    let spec = Spec {
        hostname: "test".to_owned(),
        domainname: String::new(),
        root: Root::Directory(system),
        read_only_root: false,
        root_propagation: Propagation::default(),
        mounts: vec![mount(MountSource::Proc, "/proc"), mount(dev, "/dev"), mount(MountSource::Devpts, "/dev/pts")],
        namespaces: Namespaces::default(),
        process,
        init: false,
        devices: Vec::new(),
        masked_paths: Vec::new(),
        read_only_paths: Vec::new(),
        sysctls: BTreeMap::new(),
        cgroup,
    };
    Plan {
        version: supervisor::plan::VERSION,
        name: "test".to_owned(),
        id,
        binary: std::env::current_exe().unwrap(),
        root: root.to_owned(),
        runroot: root.to_owned(),
        configuration: None,
        cgroup_parent: parent,
        spec,
        log: Log { options: logs::Options::default() },
        stdin: Stdin::Closed,
        stop_signal: 15,
        stop_timeout_seconds: Some(10),
        restart: Policy::No,
        restart_count: 0,
        after_exit: AfterExit::CallEngine,
        attributes: BTreeMap::new(),
        durability: Durability::Lazy,
    }
}

/// A process without further settings.
pub fn process(arguments: &[&str]) -> Process {
    Process {
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        environment: vec!["PATH=/bin".to_owned()],
        working_directory: "/".to_owned(),
        user: String::new(),
        additional_groups: Vec::new(),
        terminal: false,
        console_size: (0, 0),
        capabilities: 0xa804_25fb,
        no_new_privileges: false,
        limits: Vec::new(),
        oom_score_adjustment: None,
        system_calls: None,
        apparmor_profile: None,
        selinux_label: None,
    }
}

/// Looks again and again, until there is something to see or patience ends.
pub fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if seen.is_some() || Instant::now() > deadline {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads frames to their end: what came on standard output, and on standard error.
pub fn read_frames(mut stream: &UnixStream) -> (String, String) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut output = [String::new(), String::new()];
    let mut header = [0_u8; 8];
    while stream.read_exact(&mut header).is_ok() {
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let mut bytes = vec![0; length as usize];
        stream.read_exact(&mut bytes).unwrap();
        output[usize::from(header[0]) - 1].push_str(&String::from_utf8(bytes).unwrap());
    }
    let [stdout, stderr] = output;
    (stdout, stderr)
}

/// Reads raw bytes until `wanted` has come.
pub fn read_until(mut stream: &UnixStream, wanted: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(wanted) {
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
            other => panic!("{other:?} after {text:?}"),
        }
    }
    text
}

pub fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> Kind {
    result.unwrap_err().kind()
}
