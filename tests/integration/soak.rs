//! Random operations by several workers while their processes are killed at random: in the end everything is mended and nothing is left.

use crate::harness::{Finished, Host, IMAGE, eventually, rootfs_archive};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What no error may say: these words mean that state was lost or a rule of the engine broken.
const FORBIDDEN: [&str; 4] = ["corrupt", "damaged", "internal", "panicked"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound as u64) as usize
    }
}

struct Soak<'a> {
    host: &'a Host,
    over: AtomicBool,
    operations: AtomicU64,
    kills: AtomicU64,
    complaints: Mutex<Vec<String>>,
}

impl Soak<'_> {
    fn complain(&self, text: String) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn check(&self, arguments: &[&str], finished: &Finished) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        let said = finished.stderr.to_lowercase();
        if FORBIDDEN.iter().any(|word| said.contains(word)) {
            self.complain(format!("{arguments:?}: {finished:?}"));
        }
    }

    fn work(&self, worker: usize) {
        let mut random = Random(clock() | 1);
        let archive = rootfs_archive().to_str().unwrap();
        while !self.over.load(Ordering::Relaxed) {
            // Names are shared by two workers, so that they meet.
            let name = format!("c{}", (worker + random.below(2)) % 4);
            let (volume, tag) = (format!("v{}", random.below(3)), format!("tag{}:1", random.below(3)));
            let mount = format!("{volume}:/data");
            let operations: &[&[&str]] = &[
                &["run", "--rm", IMAGE, "true"],
                &["run", "--rm", "-v", &mount, IMAGE, "ls", "/data"],
                &["run", "-d", "--name", &name, IMAGE, "sleep", "1000"],
                &["run", "-d", "--name", &name, "--restart", "always", "-v", &mount, IMAGE, "sleep", "1000"],
                &["run", "-d", "--rm", "--name", &name, IMAGE, "sh", "-c", "echo x; sleep 0.3"],
                &["create", "--name", &name, IMAGE, "sleep", "1000"],
                &["exec", &name, "echo", "hi"],
                &["exec", &name, "sh", "-c", "yes | head -c 100000 > /dev/null"],
                &["start", &name],
                &["stop", "-t", "1", &name],
                &["restart", "-t", "1", &name],
                &["kill", &name],
                &["pause", &name],
                &["unpause", &name],
                &["rm", "-f", "-v", &name],
                &["rm", "-f", &name],
                &["logs", "--tail", "5", &name],
                &["inspect", &name],
                &["ps", "-a"],
                &["volume", "create", &volume],
                &["volume", "rm", &volume],
                &["volume", "ls"],
                &["tag", IMAGE, &tag],
                &["rmi", &tag],
                &["import", archive, &tag],
                &["images"],
            ];
            let arguments = operations[random.below(operations.len())];
            self.check(arguments, &self.host.berth(arguments));
        }
    }

    /// Kills processes of this test's own state root: commands, supervisors, keepers, helpers.
    fn kill(&self) {
        let mut random = Random(clock() | 1);
        let root = self.host.path("");
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50 + random.below(400) as u64));
            let processes = berth_processes(&root);
            if processes.is_empty() {
                continue;
            }
            let pid = &processes[random.below(processes.len())];
            if std::process::Command::new("kill")
                .args(["-9", pid])
                .stderr(std::process::Stdio::null())
                .status()
                .unwrap()
                .success()
            {
                self.kills.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The processes of the engine for the state root below `folder`: those that were given it, and the supervisors of its containers.
fn berth_processes(folder: &Path) -> Vec<String> {
    let ids: Vec<String> = std::fs::read_dir(folder.join("root/containers"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let folder = folder.to_string_lossy().trim_end_matches('/').to_owned() + "/";
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        let is_berth = words.next().is_some_and(|program| program.ends_with("berth") || program.ends_with("/exe"));
        if is_berth && (line.contains(&folder) || ids.iter().any(|id| line.contains(id.as_str()))) {
            found.push(pid);
        }
    }
    found
}

#[test]
fn random_operations_and_random_kills() {
    let host = Host::with_image();
    let seconds = std::env::var("BERTH_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let soak =
        Soak { host: &host, over: false.into(), operations: 0.into(), kills: 0.into(), complaints: Mutex::default() };
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let soak = &soak;
            scope.spawn(move || soak.work(worker));
        }
        scope.spawn(|| soak.kill());
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        soak.over.store(true, Ordering::Relaxed);
    });
    println!(
        "{} operations, {} kills in {seconds} s",
        soak.operations.load(Ordering::Relaxed),
        soak.kills.load(Ordering::Relaxed)
    );
    assert!(soak.kills.load(Ordering::Relaxed) > seconds / 10, "hardly anything was killed");
    let complaints = soak.complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(complaints.is_empty(), "{complaints:#?}");
    settle(&host);
}

/// Ordinary commands mend everything.
fn settle(host: &Host) {
    host.berth(["images"]).ok();
    let mut said: HashMap<String, String> = HashMap::new();
    for id in host.containers() {
        let status = || host.berth(["inspect", "--format", "{{.State.Status}} {{.State.Pid}}", &id]).out();
        let truly = || match status().strip_prefix("running ") {
            Some(pid) => pid != "0" && Path::new(&format!("/proc/{pid}")).exists(),
            None => true,
        };
        assert!(eventually(truly), "{id} is said to run: {}", status());
        let status = status();
        said.insert(id, status);
    }
    for (id, status) in &said {
        let stopped = host.berth(["stop", "-t", "1", id]);
        assert!(stopped.code == 0 || stopped.stderr.contains("No such container"), "{status}: {stopped:?}");
        let removed = host.berth(["rm", "-f", "-v", id]);
        assert!(removed.code == 0 || removed.stderr.contains("No such container"), "{status}: {removed:?}");
    }
    assert_eq!(host.berth(["run", "--rm", "--name", "c0", IMAGE, "echo", "fine"]).ok().out(), "fine");
    host.berth(["volume", "prune", "-a", "-f"]).ok();
    let left = host.leftovers();
    assert!(left.is_empty(), "{left:#?}");
    assert!(host.unfinished().is_empty(), "{:?}", host.unfinished());
    let root = host.path("");
    assert!(eventually(|| berth_processes(&root).is_empty()), "processes are left: {:?}", berth_processes(&root));
}
