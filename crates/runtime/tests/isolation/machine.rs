//! A root file system, a specification, and what came of running it.

use base::Result;
use runtime::spec::{
    ControlGroup, Mount, MountOptions, MountSource, Namespaces, Process, Propagation, ReadOnly, Root, Spec, Syncing,
};
use runtime::{Child, Container, Ends, Input, Request};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use sys::clone::{Side, fork};

/// Docker's default capabilities.
pub const CAPABILITIES: u64 = 0xa804_25fb;
const PATIENCE: Duration = Duration::from_secs(20);

/// What a process did.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// One container that can be run again and again.
pub struct Machine {
    pub top: PathBuf,
    pub spec: Spec,
    pub joined: BTreeMap<String, OwnedFd>,
}

impl Machine {
    /// A container that runs `script` in a shell.
    pub fn new(script: &str) -> Self {
        let mut name = [0_u8; 6];
        rustix::rand::getrandom(&mut name, rustix::rand::GetRandomFlags::empty()).unwrap();
        let name = format!("berth-runtime-{}", base::digest::to_hex(&name));
        let top = std::env::temp_dir().join(&name);
        let root = top.join("root");
        for folder in ["bin", "proc", "dev", "sys", "tmp", "etc"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        let names = "sh sleep cat true kill ls id readlink hostname dnsdomainname grep stat mount umount mkdir touch echo \
                     tty ps mknod ip head dd pwd rm ln seq test chmod stty wc sort";
        for name in names.split_whitespace() {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/var/www:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), passwd).unwrap();
        std::fs::write(root.join("etc/group"), "root:x:0:\nadm:x:4:web\nmore:x:9:web,root\n").unwrap();
        let spec = spec(Root::Directory(root), format!("/{name}/c"), script);
        Self { top, spec, joined: BTreeMap::new() }
    }

    /// The root directory on the host.
    pub fn root(&self) -> PathBuf {
        self.top.join("root")
    }

    /// Puts an overlay in the place of the plain directory.
    pub fn with_overlay(mut self) -> Self {
        let lower = self.root();
        let second = self.top.join("second");
        let (upper, work) = (self.top.join("upper"), self.top.join("work"));
        for path in [&second, &upper, &work] {
            std::fs::create_dir_all(path).unwrap();
        }
        self.spec.root = Root::Overlay { lower: vec![second, lower], upper, work, syncing: Syncing::default() };
        self
    }

    pub fn create(&self) -> Result<(Container, Ends)> {
        let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT)).unwrap();
        let Self { spec, joined, .. } = self;
        Container::create(&Request { spec, joined, host: &host, input: Input::Nothing })
    }

    /// A container whose program runs.
    pub fn start(&self) -> (Container, Ends) {
        let (mut container, ends) = self.create().unwrap();
        container.start().unwrap_or_else(|error| {
            container.end();
            container.remove().unwrap();
            panic!("{error:?}")
        });
        (container, ends)
    }

    /// Runs it to its end, or says why that cannot be.
    pub fn attempt(&self) -> Result<Outcome> {
        let (mut container, ends) = self.create()?;
        if let Err(error) = container.start() {
            container.end();
            container.remove().unwrap();
            return Err(error);
        }
        let outcome = finish(container.init(), ends);
        container.kill_rest();
        container.remove().unwrap();
        Ok(outcome)
    }

    /// Runs it to its end.
    pub fn run(&self) -> Outcome {
        self.attempt().unwrap()
    }

    /// What it writes; it must succeed and complain of nothing.
    pub fn output(&self) -> String {
        let outcome = self.run();
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
        outcome.out
    }

    /// The message with which it does not start.
    pub fn refusal(&self) -> String {
        self.attempt().map(|outcome| panic!("{outcome:?}")).unwrap_err().to_string()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT)).unwrap();
        if let Ok(group) = cgroup::Group::open(&host, &self.spec.cgroup.path) {
            group.kill().unwrap();
            group.remove().unwrap();
        }
        std::fs::remove_dir_all(&self.top).unwrap();
    }
}

/// Ends a container that runs.
pub fn end(mut container: Container) {
    container.end();
    container.remove().unwrap();
}

/// Reads a process's streams to their end and reaps it.
pub fn finish(child: &Child, ends: Ends) -> Outcome {
    let read = |end: Option<OwnedFd>| {
        let mut text = Vec::new();
        // A terminal whose last user is gone answers EIO.
        let _ = end.map(|end| File::from(end).read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    };
    let out = read(ends.terminal.or(ends.stdout));
    let err = read(ends.stderr);
    let code = wait_until(|| child.reap()).expect("it does not end");
    Outcome { code, out, err }
}

/// Runs a further process in a container.
pub fn exec(container: &Container, process: &Process) -> Result<Outcome> {
    let mut entering = container.exec(process, Input::Nothing)?;
    let outcome = wait_until(|| entering.progress().map(|arrived| arrived.then_some(())).transpose());
    if let Err(error) = outcome.expect("it does not arrive") {
        let child = entering.give_up();
        wait_until(|| child.reap()).expect("it does not end");
        return Err(error);
    }
    let (child, ends) = entering.arrive();
    Ok(finish(&child, ends))
}

/// A process that runs `script` in a shell.
pub fn shell(script: &str) -> Process {
    Process {
        arguments: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        environment: vec!["PATH=/bin".to_owned()],
        working_directory: "/".to_owned(),
        user: String::new(),
        additional_groups: Vec::new(),
        terminal: false,
        console_size: (0, 0),
        capabilities: CAPABILITIES,
        no_new_privileges: false,
        limits: Vec::new(),
        oom_score_adjustment: None,
        system_calls: None,
        apparmor_profile: None,
        selinux_label: None,
    }
}

/// A mount with the usual restrictions.
pub fn mount(source: MountSource, target: &str) -> Mount {
    Mount {
        source,
        target: target.to_owned(),
        options: MountOptions { no_suid: true, no_exec: true, ..MountOptions::default() },
        propagation: Propagation::default(),
    }
}

/// A bind of a host's path.
pub fn bind(path: &Path, target: &str, read_only: ReadOnly) -> Mount {
    let source = MountSource::Bind { path: path.to_owned(), subpath: None, recursive: true };
    Mount { options: MountOptions { read_only, ..MountOptions::default() }, ..mount(source, target) }
}

fn spec(root: Root, group: String, script: &str) -> Spec {
    let dev = MountSource::Tmpfs { options: vec![("mode".to_owned(), "755".to_owned())] };
    let sysfs = MountOptions { read_only: ReadOnly::Single, no_suid: true, no_devices: true, no_exec: true };
    Spec {
        hostname: "inside".to_owned(),
        domainname: "example".to_owned(),
        root,
        read_only_root: false,
        root_propagation: Propagation::default(),
        mounts: vec![
            mount(MountSource::Proc, "/proc"),
            mount(dev, "/dev"),
            mount(MountSource::Devpts, "/dev/pts"),
            Mount { options: sysfs, ..mount(MountSource::Sysfs, "/sys") },
        ],
        namespaces: Namespaces::default(),
        process: shell(script),
        init: false,
        devices: Vec::new(),
        masked_paths: ["/proc/interrupts", "/proc/acpi", "/sys/firmware", "/proc/missing"].map(str::to_owned).to_vec(),
        read_only_paths: ["/proc/sys", "/proc/irq"].map(str::to_owned).to_vec(),
        sysctls: BTreeMap::new(),
        cgroup: ControlGroup { path: group, resources: Default::default(), writable: false },
    }
}

/// Runs `case` in a process of its own; its exit code.
pub fn apart(case: impl FnOnce()) -> i32 {
    match fork(sys::clone::Namespaces::default(), None).unwrap() {
        Side::Child => {
            case();
            sys::process::exit_now(0)
        }
        Side::Parent(pid, _) => {
            let status = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
            status.and_then(|(_, status)| status.exit_status()).unwrap_or(-1)
        }
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
