//! A state root with an image, and operations on it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use base::{Kind, Result};
use engine::containers::{
    CreateRequest, Details, ListRequest, RemoveRequest, RestartPolicy, Settings, Status, StopRequest, Wait,
    WaitCondition,
};
use engine::images::ImportRequest;
use engine::{Caller, Configuration, Engine, Options, Silent};

/// Long enough for a busy machine; nothing waits so long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How an operation ends that found nothing to do.
const UNCHANGED: u8 = 3;

/// The exit code that `wait` waits for.
pub fn finish(mut wait: Wait) -> i32 {
    loop {
        if let Some(exit) = wait.poll(PATIENCE).unwrap() {
            return exit.code;
        }
    }
}

/// A state root that vanishes with it; that something of it is left on the host is a failure.
pub struct Host {
    pub engine: Engine,
    pub caller: Caller,
    pub path: PathBuf,
}

fn options(root: &Path, runroot: &Path) -> Options {
    Options {
        root: root.to_owned(),
        runroot: runroot.to_owned(),
        configuration: Configuration::default(),
        configuration_file: None,
        binary: std::env::current_exe().unwrap(),
    }
}

/// What `berth` does when a supervisor calls back.
pub fn called_back(arguments: &[String]) -> ExitCode {
    let engine = Engine::open(options(Path::new(&arguments[1]), Path::new(&arguments[3]))).unwrap();
    let done = match arguments[4].as_str() {
        "container-exited" => engine.container_exited(&Caller::engine(), &arguments[5]),
        "container-restart" => engine.container_restart(&Caller::engine(), &arguments[5]),
        other => panic!("{other}"),
    };
    code(&done)
}

/// One operation: root, verb, container.
pub fn operate(arguments: &[String]) -> ExitCode {
    let path = Path::new(&arguments[0]);
    let engine = Engine::open(options(&path.join("root"), &path.join("run"))).unwrap();
    let caller = Caller::in_process();
    let name = &arguments[2];
    let done = match arguments[1].as_str() {
        "create" => engine.create_container(&caller, create_request(name, "sleep 1000", |_| {})).map(drop),
        "start" => engine.start_container(&caller, name),
        "stop" => engine.stop_container(&caller, name, &AT_ONCE),
        "restart" => engine.restart_container(&caller, name, &AT_ONCE),
        "kill" => engine.kill_container(&caller, name, ""),
        "rename" => engine.rename_container(&caller, name, &format!("{name}2")),
        "update" => engine.update_restart_policy(&caller, name, RestartPolicy::UnlessStopped),
        "rm" => engine.remove_container(&caller, name, RemoveRequest { force: true, volumes: true }),
        "boot" => engine.boot(&caller).map(drop),
        "shutdown" => engine.shut_down(&caller).map(drop),
        other => panic!("{other}"),
    };
    code(&done)
}

/// A stop that waits for nothing.
pub const AT_ONCE: StopRequest = StopRequest { signal: None, timeout_seconds: Some(0) };

fn code(done: &Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == Kind::Unchanged => ExitCode::from(UNCHANGED),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn create_request(name: &str, script: &str, change: impl FnOnce(&mut Settings)) -> CreateRequest {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let mut settings = Settings { image: "busybox".to_owned(), command: Some(command), ..Settings::default() };
    change(&mut settings);
    CreateRequest { name: Some(name.to_owned()), platform: None, settings }
}

impl Host {
    pub fn new() -> Self {
        let path = PathBuf::from(format!("/var/tmp/engine-lifecycle-{}", std::process::id()));
        let system = path.join("system");
        for folder in ["bin", "proc", "dev", "sys", "tmp", "etc", "data"] {
            std::fs::create_dir_all(system.join(folder)).unwrap();
        }
        std::fs::copy("/bin/busybox", system.join("bin/busybox")).unwrap();
        for name in ["sh", "sleep", "cat", "true", "kill", "touch", "hostname", "ls", "readlink"] {
            std::os::unix::fs::symlink("busybox", system.join("bin").join(name)).unwrap();
        }
        let archive = path.join("system.tar");
        assert!(
            Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&system).arg(".").status().unwrap().success()
        );
        let host = Self {
            engine: Engine::open(options(&path.join("root"), &path.join("run"))).unwrap(),
            caller: Caller::in_process(),
            path,
        };
        let request = ImportRequest { reference: Some("busybox".parse().unwrap()), ..ImportRequest::default() };
        let mut archive = std::fs::File::open(archive).unwrap();
        host.engine.import_image(&host.caller, &request, &mut archive, &Silent).unwrap();
        host
    }

    /// Makes a container that runs `script` in a shell.
    pub fn create_with(&self, name: &str, script: &str, change: impl FnOnce(&mut Settings)) -> String {
        self.engine.create_container(&self.caller, create_request(name, script, change)).unwrap().id.to_string()
    }

    pub fn create(&self, name: &str, script: &str) -> String {
        self.create_with(name, script, |_| {})
    }

    pub fn start(&self, name: &str) -> Result<()> {
        self.engine.start_container(&self.caller, name)
    }

    pub fn stop(&self, name: &str) -> Result<()> {
        self.engine.stop_container(&self.caller, name, &AT_ONCE)
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        self.engine.remove_container(&self.caller, name, RemoveRequest { force: true, volumes: true })
    }

    pub fn wait(&self, name: &str) -> i32 {
        finish(self.engine.wait_container(&self.caller, name, WaitCondition::NotRunning).unwrap())
    }

    /// What the container has written to its standard output, once it has exited.
    pub fn output(&self, name: &str) -> String {
        self.wait(name);
        let request = engine::containers::LogRequest { stdout: true, ..Default::default() };
        let mut log = self.engine.container_logs(&self.caller, name, &request).unwrap();
        let mut text = String::new();
        while let engine::Polled::Item(entry) = log.poll_entry(Duration::ZERO).unwrap() {
            text.push_str(&String::from_utf8_lossy(&entry.line));
        }
        text
    }

    pub fn inspect(&self, name: &str) -> Details {
        self.engine.inspect_container(&self.caller, name).unwrap()
    }

    pub fn status(&self, name: &str) -> Status {
        self.inspect(name).state.status
    }

    pub fn await_status(&self, name: &str, status: Status) {
        let found = wait_until(|| (self.status(name) == status).then_some(()));
        assert!(found.is_some(), "{name} is {:?}, not {status:?}", self.inspect(name).state);
    }

    /// Names of all containers.
    pub fn names(&self) -> Vec<String> {
        let request = ListRequest { all: true, ..ListRequest::default() };
        self.engine.list_containers(&self.caller, &request).unwrap().into_iter().map(|found| found.name).collect()
    }

    /// What the journal tells of a container: actions, with exit codes.
    pub fn actions(&self, id: &str) -> Vec<String> {
        let told = |event: engine::events::Event| match event.attributes.get("exitCode") {
            Some(code) => format!("{} {code}", event.action),
            None => event.action,
        };
        self.events(id).into_iter().map(told).collect()
    }

    /// The name that the last event of this action carries.
    pub fn named(&self, id: &str, action: &str) -> String {
        self.events(id).iter().rfind(|event| event.action == action).unwrap().attributes["name"].clone()
    }

    fn events(&self, id: &str) -> Vec<engine::events::Event> {
        let text = std::fs::read_to_string(self.path.join("root/events.jsonl")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<engine::events::Event>(line).unwrap());
        events.filter(|event| event.subject == id).collect()
    }

    pub fn directory(&self, id: &str) -> PathBuf {
        self.path.join("root/containers").join(id)
    }

    pub fn state(&self, id: &str) -> supervisor::state::State {
        let directory = base::file::open_directory(&self.directory(id)).unwrap();
        supervisor::state::State::read(std::os::fd::AsFd::as_fd(&directory)).unwrap().unwrap()
    }

    /// Ends the supervisor as a bug would.
    pub fn kill_supervisor(&self, id: &str) {
        let pid = rustix::process::Pid::from_raw(self.state(id).supervisor_pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    pub fn operation(&self, verb: &str, name: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("do").arg(&self.path).arg(verb).arg(name);
        command
    }

    /// Control groups of this root's containers, in any hierarchy.
    fn groups(&self) -> Vec<PathBuf> {
        let root = std::fs::canonicalize(self.path.join("root")).unwrap();
        let digest = base::digest::Digest::sha256(root.as_os_str().as_encoded_bytes());
        let name = format!("berth-{}", &digest.hex()[..8]);
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path());
        hierarchies
            .chain([PathBuf::from("/sys/fs/cgroup")])
            .map(|path| path.join(&name))
            .filter(|path| path.exists())
            .collect()
    }

    fn left_in_folders(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        for folder in ["containers", "names", "unfinished", "volumes"] {
            let Ok(entries) = std::fs::read_dir(self.path.join("root").join(folder)) else { continue };
            left.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with(".lock")));
        }
        left
    }

    fn mounts(&self) -> Vec<String> {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let path = self.path.display().to_string();
        text.lines().filter(|line| line.contains(&path)).map(str::to_owned).collect()
    }

    /// Removes all containers and looks for what they have left.
    pub fn check_nothing_is_left(&self) {
        for name in self.names() {
            self.remove(&name).unwrap();
        }
        // What a helper removes is gone a moment after its container is.
        let left = wait_until(|| self.left_in_folders().is_empty().then_some(()));
        assert!(left.is_some(), "{:?}", self.left_in_folders());
        assert_eq!(self.mounts(), [""; 0]);
        // Supervisors end a moment after their containers, and on cgroup v2 their group with the next removal.
        let groups = wait_until(|| self.groups().is_empty().then_some(()));
        assert!(groups.is_some(), "{:?}", self.groups());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_nothing_is_left();
        } else {
            for name in self.names() {
                let _ = self.remove(&name);
            }
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The first answer within [`PATIENCE`].
pub fn wait_until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
