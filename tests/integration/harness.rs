//! A host of its own for each test: state directories, images, and the real binary run on them.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long any command may take before it is ended and the test fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// The image that [`Host::with_image`] imports: busybox with its applets, two users and a `/tmp` of 1777.
pub const IMAGE: &str = "busybox";

/// Gives this thread, and whatever it starts, a network of its own, once: the test's networks and ports are nobody else's.
// What takes its place is unsafe for descriptor tables, which this is not about.
#[expect(deprecated)]
pub fn enter_network() {
    thread_local!(static ENTERED: Cell<bool> = const { Cell::new(false) });
    if !ENTERED.replace(true) {
        rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
        assert!(up.success());
    }
}

/// State directories of one test. When it is dropped, everything in it is removed, and the test fails where something stays.
pub struct Host {
    directory: PathBuf,
}

impl Host {
    /// Empty state directories, in the network namespace of this test.
    pub fn new() -> Self {
        enter_network();
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("/var/tmp/berth-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(directory.join("home")).unwrap();
        Self { directory }
    }

    /// State directories with [`IMAGE`] in them.
    pub fn with_image() -> Self {
        let host = Self::new();
        host.berth(["import", rootfs_archive().to_str().unwrap(), IMAGE]).ok();
        host
    }

    /// A path in the test's own directory, for files that it needs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The state root.
    pub fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// Writes a file in the test's own directory and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The binary with this host's state directories and an environment of its own, ready for more arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("--root").arg(self.root()).arg("--runroot").arg(self.path("run"));
        command.arg("--config").arg(self.path("client"));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.path("home"));
        command
    }

    /// Runs a command to its end.
    pub fn berth<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Finished {
        let mut command = self.command();
        command.args(arguments);
        finish(command, b"")
    }

    /// Runs a command to its end with `input` as its standard input.
    pub fn berth_with_input<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I, input: &[u8]) -> Finished {
        let mut command = self.command();
        command.args(arguments);
        finish(command, input)
    }

    /// Runs a command to its end and kills itself at a crash point on the way.
    pub fn berth_crashing<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, point: &str, arguments: I) -> Finished {
        let mut command = self.command();
        command.args(arguments).env("BERTH_CRASH_AT", point);
        finish(command, b"")
    }

    /// Runs a command of which the first process that comes by a crash point is killed there: itself, a supervisor, or a helper.
    pub fn berth_crashing_once<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        &self,
        point: &str,
        arguments: I,
    ) -> Finished {
        let mut command = self.crashing_once(point);
        command.args(arguments);
        finish(command, b"")
    }

    /// As [`Host::berth_crashing_once`], ready for more arguments.
    pub fn crashing_once(&self, point: &str) -> Command {
        let mut command = self.command();
        command.env("BERTH_CRASH_AT", format!("{point}={}", self.crash_marker(point).display()));
        command
    }

    /// Whether a process was killed at this crash point.
    pub fn has_crashed_at(&self, point: &str) -> bool {
        self.crash_marker(point).exists()
    }

    fn crash_marker(&self, point: &str) -> PathBuf {
        self.path(&format!("crashed-{point}"))
    }

    /// Starts a command and leaves it running, all its streams piped.
    pub fn spawn<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Background {
        let mut command = self.command();
        Background::start(command.args(arguments))
    }

    /// Starts a command on a terminal of its own, of 20 rows and 60 columns, and leaves it running. What is typed is its standard input; its first line of
    /// output is the terminal's name.
    pub fn spawn_on_terminal<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Background {
        let mut berth = self.command();
        berth.args(arguments);
        let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"));
        let words: Vec<String> = std::iter::once(berth.get_program()).chain(berth.get_args()).map(quoted).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &format!("stty rows 20 cols 60; tty; exec {}", words.join(" ")), "/dev/null"]);
        command.env_clear().env("SHELL", "/bin/sh").env("TERM", "dumb");
        command.envs(berth.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Background(Some(command.spawn().unwrap()))
    }

    /// One member of what `inspect` shows of a container, by a template.
    pub fn inspect(&self, container: &str, template: &str) -> String {
        self.berth(["inspect", "--format", template, container]).ok().out()
    }

    /// Waits until a template of `inspect` gives `wanted`.
    pub fn wait_for(&self, container: &str, template: &str, wanted: &str) {
        let mut seen = String::new();
        let reached = eventually(|| {
            seen = self.berth(["inspect", "--format", template, container]).out();
            seen == wanted
        });
        assert!(reached, "{template} of {container} is {seen:?}, not {wanted:?}");
    }

    /// The ids of all containers.
    pub fn containers(&self) -> Vec<String> {
        self.berth(["ps", "-aq", "--no-trunc"]).ok().lines()
    }

    /// The notes of what is being made or removed.
    pub fn unfinished(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root().join("unfinished")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Removes every container and says what stays of them: directories, names, control groups, mounts, network namespaces, and whoever has one of its files
    /// open, without which nobody has a lock.
    pub fn leftovers(&self) -> Vec<String> {
        let ids = self.containers();
        let networks = self.networks(&ids);
        if !ids.is_empty() {
            self.berth(["rm", "-f", "-v"].iter().map(ToString::to_string).chain(ids.iter().cloned())).ok();
        }
        // What removes itself may be about to.
        let mut left = Vec::new();
        eventually(|| {
            left = self.remains(&ids);
            left.extend(networks.iter().map(|(name, _)| name).filter(|name| is_alive(name)).cloned());
            left.is_empty()
        });
        // The ends of containers go with their namespaces, which were kept until here.
        drop(networks);
        let mut ends = Vec::new();
        eventually(|| {
            ends = container_ends();
            ends.is_empty()
        });
        left.extend(ends);
        left
    }

    /// The network namespaces of containers that run, but for the host's. As long as one is open here, no other gets its number.
    fn networks(&self, ids: &[String]) -> Vec<(String, File)> {
        let open = |process: &str| {
            let path = format!("/proc/{process}/ns/net");
            let file = File::open(&path).ok()?;
            Some((std::fs::read_link(path).ok()?.display().to_string(), file))
        };
        let (own, _own) = open("thread-self").unwrap();
        let pids = ids.iter().map(|id| self.berth(["inspect", "--format", "{{.State.Pid}}", id]).out());
        pids.filter_map(|pid| open(&pid)).filter(|(name, _)| *name != own).collect()
    }

    fn remains(&self, ids: &[String]) -> Vec<String> {
        let mut left = Vec::new();
        for folder in ["containers", "names"] {
            let entries = std::fs::read_dir(self.root().join(folder)).into_iter().flatten().flatten();
            // The lock of all names is no name.
            left.extend(
                entries.filter(|entry| entry.file_name() != ".lock").map(|entry| entry.path().display().to_string()),
            );
        }
        left.extend(self.network_remains(ids));
        for id in ids {
            left.extend(control_groups_named(id));
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = self.directory.display().to_string();
        left.extend(mounts.lines().filter(|line| line.contains(&own)).map(str::to_owned));
        left.extend(holders_below(&self.directory));
        left
    }
}

impl Host {
    /// Addresses and names that somebody still has, ends of containers, and rules for them.
    fn network_remains(&self, ids: &[String]) -> Vec<String> {
        let below =
            |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = ["addresses", "names", "reverse"];
        let networks = below(self.root().join("networks"));
        let mut left: Vec<String> = networks
            .flat_map(|network| folders.map(|folder| network.join(folder)))
            .flat_map(below)
            .map(|path| path.display().to_string())
            .collect();
        let rules = says("nft", &["list", "ruleset"]);
        left.extend(rules.lines().filter(|line| ids.iter().any(|id| line.contains(id.as_str()))).map(str::to_owned));
        left
    }
}

fn says(program: &str, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&Command::new(program).args(arguments).output().unwrap().stdout).into_owned()
}

/// The host's ends of containers in the network namespace of this test.
fn container_ends() -> Vec<String> {
    says("ip", &["-o", "link"]).lines().filter(|line| line.contains(": veth")).map(str::to_owned).collect()
}

/// The processes of this host, but for this one.
fn processes() -> impl Iterator<Item = PathBuf> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let is_other = move |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit) && name != own.as_str();
    entries.filter(move |entry| is_other(&entry.file_name())).map(|entry| entry.path())
}

/// Processes that have something open below `directory`.
fn holders_below(directory: &Path) -> Vec<String> {
    let holds = |process: &PathBuf| {
        let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|target| target.starts_with(directory))
    };
    let name = |process: &Path| std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    processes().filter(holds).map(|process| format!("{} {}", process.display(), name(&process).trim())).collect()
}

/// Whether a process is in this network namespace, has it open, or has it mounted.
fn is_alive(network: &str) -> bool {
    let leads_there = |path: &Path| std::fs::read_link(path).is_ok_and(|target| target == Path::new(network));
    let holds = |process: &PathBuf| {
        let mut descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        leads_there(&process.join("ns/net")) || descriptors.any(|entry| leads_there(&entry.path()))
    };
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(network)
        || processes().any(|process| holds(&process))
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed already: only clean up, whatever state it left.
            let ids = self.berth(["ps", "-aq", "--no-trunc"]).lines();
            let arguments = ["rm", "-f", "-v"].iter().map(ToString::to_string).chain(ids);
            drop(self.berth(arguments));
        } else {
            let left = self.leftovers();
            std::fs::remove_dir_all(&self.directory).unwrap();
            assert!(left.is_empty(), "left behind: {left:#?}");
            return;
        }
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// Control groups in any hierarchy whose last component is `id`.
pub fn control_groups_named(id: &str) -> Vec<String> {
    let output = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", id]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -N where signal N ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Fails the test unless standard error contains this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected {text:?} in {self:#?}");
        self
    }

    /// Standard output without its last line break.
    pub fn out(&self) -> String {
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<String> {
        self.stdout.lines().map(str::to_owned).collect()
    }
}

/// Runs `command` with `input` to its end.
pub fn finish(mut command: Command, input: &[u8]) -> Finished {
    let mut background = Background::start(&mut command);
    background.write(input);
    background.finish()
}

/// A command that runs beside the test. It is killed when it is dropped.
pub struct Background(Option<Child>);

impl Background {
    /// Starts `command` with all its streams piped.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    /// The process, to signal it.
    pub fn pid(&self) -> i32 {
        self.0.as_ref().unwrap().id() as i32
    }

    /// Sends a signal by its name: `TERM`, `KILL`.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Writes to its standard input.
    pub fn write(&mut self, input: &[u8]) {
        let stdin = self.0.as_mut().unwrap().stdin.as_mut().unwrap();
        // A command that ended without reading is judged by its exit code.
        let _ = stdin.write_all(input);
        let _ = stdin.flush();
    }

    /// Reads from its standard output until a line contains `text`, and gives all that was read.
    pub fn read_until(&mut self, text: &str) -> String {
        let stdout = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let (mut seen, mut byte) = (Vec::new(), [0_u8]);
        while !String::from_utf8_lossy(&seen).contains(text) {
            match stdout.read(&mut byte) {
                Ok(1) => seen.push(byte[0]),
                _ => panic!("ended before {text:?}: {:?}", String::from_utf8_lossy(&seen)),
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Closes its standard input and waits for its end.
    pub fn finish(mut self) -> Finished {
        let mut child = self.0.take().unwrap();
        drop(child.stdin.take());
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
                panic!("the command did not end within {PATIENCE:?}; stdout {stdout:?}, stderr {stderr:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        use std::os::unix::process::ExitStatusExt;
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        Finished { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether `condition` comes true within ten seconds.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// An archive of a small root file system: Debian's static busybox and what programs expect around it.
pub fn rootfs_archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rootfs-{}", std::process::id()));
        let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox.tar");
        for directory in ["bin", "etc", "tmp", "root", "home/user", "var/tmp", "data"] {
            std::fs::create_dir_all(folder.join(directory)).unwrap();
        }
        std::fs::copy("/bin/busybox", folder.join("bin/busybox")).unwrap();
        let applets = Command::new("/bin/busybox").arg("--list").output().unwrap();
        for applet in String::from_utf8(applets.stdout).unwrap().lines().filter(|name| *name != "busybox") {
            std::os::unix::fs::symlink("busybox", folder.join("bin").join(applet)).unwrap();
        }
        std::fs::write(
            folder.join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(folder.join("etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\nother:x:3000:\n")
            .unwrap();
        std::fs::write(folder.join("data/seed"), "from the image\n").unwrap();
        let mode = |path: &str, mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode("tmp", 0o1777);
        mode("root", 0o700);
        let partial = archive.with_extension(std::process::id().to_string());
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&folder).args(["--numeric-owner", "--owner=0", "--group=0", "-cf"]).arg(&partial).arg(".");
        assert!(tar.status().unwrap().success());
        std::fs::rename(partial, &archive).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        archive
    })
}
