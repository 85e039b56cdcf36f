"""Measures berth and its peers side by side, interleaved, and compares the medians with the aims.

Runs inside private mount and network namespaces (see bench/run). Every engine has its own state directories below a
temporary folder, which is removed at the end; only processes that were started here are ended.
"""

import argparse
import concurrent.futures
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

IMAGE = "bench/busybox:1"


def call(command, **options):
    """Runs a command that must succeed and gives its output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def timed(action):
    """Milliseconds that an action took."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


class Engine:
    """A command line that understands Docker's arguments."""

    def __init__(self, name, prefix, folder):
        self.name, self.prefix, self.folder = name, prefix, folder

    def __call__(self, *arguments):
        return call([*self.prefix, *arguments])

    def run(self, *arguments):
        return self("run", "--network", "none", *arguments)

    def version(self):
        return self("--version").splitlines()[0]

    def forget_images(self):
        """Empties the image store."""
        self("rmi", "-f", *filter(None, self("images", "-q").splitlines()))

    def stop(self):
        pass


class Berth(Engine):
    def __init__(self, binary, folder):
        super().__init__("berth", [binary, "--root", f"{folder}/berth", "--runroot", f"{folder}/berth-run"], folder)


class Podman(Engine):
    def __init__(self, folder):
        arguments = ["--root", f"{folder}/podman", "--runroot", f"{folder}/podman-run", "--runtime", "runc", "--cgroup-manager", "cgroupfs"]
        # Without this, podman raises limits that not every machine lets it raise.
        os.environ["CONTAINERS_CONF"] = f"{folder}/containers.conf"
        pathlib.Path(f"{folder}/containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:20000"]\n[engine]\nevents_logger = "file"\n')
        super().__init__("podman", ["podman", *arguments], folder)


class Docker(Engine):
    def __init__(self, folder):
        socket = f"unix://{folder}/docker.sock"
        super().__init__("docker", ["/usr/bin/docker", "-H", socket], folder)
        configuration = {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 20000}}, "insecure-registries": ["127.0.0.0/8"]}
        pathlib.Path(f"{folder}/daemon.json").write_text(json.dumps(configuration))
        log = open(f"{folder}/dockerd.log", "w")
        self.daemon = subprocess.Popen(
            ["dockerd", "--config-file", f"{folder}/daemon.json", "-H", socket, "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/docker-run",
             "-p", f"{folder}/dockerd.pid", "--iptables=false", "--bridge=none"], stdout=log, stderr=log, start_new_session=True)
        for _ in range(150):
            if subprocess.run([*self.prefix, "version"], capture_output=True).returncode == 0:
                return
            time.sleep(0.2)
        raise RuntimeError(f"dockerd did not come up: {pathlib.Path(f'{folder}/dockerd.log').read_text()[-2000:]}")

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(60)


def make_rootfs(folder):
    """A root file system of busybox, as a folder and as an archive."""
    root = pathlib.Path(folder, "rootfs")
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "true", "sleep", "echo"):
        (root / "bin" / applet).symlink_to("busybox")
    call(["tar", "-C", root, "-cf", f"{folder}/rootfs.tar", "."])
    return root


class Bundle:
    """A bundle of `crun spec`, run by crun alone: the bare runtime."""

    def __init__(self, folder, root):
        self.folder, self.count = pathlib.Path(folder, "bundle"), 0
        self.folder.mkdir()
        call(["crun", "spec"], cwd=self.folder)
        spec = json.loads((self.folder / "config.json").read_text())
        spec["process"]["args"] = ["true"]
        spec["process"]["terminal"] = False
        spec["process"].pop("rlimits", None)
        spec["root"]["path"] = str(root)
        (self.folder / "config.json").write_text(json.dumps(spec))
        # crun refuses hybrid control groups and changes the owner of the /dev/null that it gets: both are hidden here.
        self.hide = "mount -t tmpfs none /sys/fs/cgroup/unified 2>/dev/null; mkdir -p /run/bench && : > /run/bench/null;"
        self.prefix = [] if not os.path.exists("/sys/fs/cgroup/unified") else None

    def __call__(self):
        self.count += 1
        subprocess.run(["crun", "--root", f"{self.folder}/state", "run", "--bundle", self.folder, f"bench{self.count}"], check=True,
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.missed, self.rows = [], []
        root = make_rootfs(folder)
        if os.path.ismount("/sys/fs/cgroup/unified"):
            call(["umount", "/sys/fs/cgroup/unified"]) if options.hide_unified else None
        self.bundle = Bundle(folder, root)
        self.engines = [Berth(options.binary, folder), Docker(folder), Podman(folder)]
        for engine in self.engines:
            engine("import", f"{folder}/rootfs.tar", IMAGE)

    def compare(self, name, actions, runs, aim):
        """Interleaves the actions and compares our median with the best (`aim` × best peer) of the others."""
        samples = {who: [] for who in actions}
        for _ in range(runs):
            for who, action in actions.items():
                samples[who].append(timed(action))
        medians = {who: statistics.median(values) for who, values in samples.items()}
        self.report(name, medians, aim, runs)

    def report(self, name, medians, aims, runs):
        """One row. `aims` maps a peer, or `best`, to the largest ratio of ours to theirs."""
        ours = medians["berth"]
        verdicts = []
        for peer, aim in aims.items():
            theirs = min(value for who, value in medians.items() if who in ("docker", "podman")) if peer == "best" else medians[peer]
            met = ours <= aim * theirs
            verdicts.append(f"{ours / theirs:.3f} of {peer} (aim {aim}{'' if met else ', MISSED'})")
            if not met:
                self.missed.append(name)
        figures = ", ".join(f"{who} {value:.2f}" for who, value in medians.items())
        self.rows.append((name, figures, "; ".join(verdicts), runs))
        print(f"{name:28} {figures}   {'; '.join(verdicts)}   [{runs} runs]", flush=True)

    # -- what is measured ---------------------------------------------------------------------------------------------

    def run(self):
        actions = {engine.name: (lambda engine=engine: engine.run("--rm", IMAGE, "true")) for engine in self.engines}
        actions["crun"] = self.bundle
        self.compare("run --rm, ms", actions, self.options.runs, {"best": 0.05, "crun": 1.5})

    def detached(self):
        def cycle(engine):
            engine("rm", "-f", engine.run("-d", IMAGE, "sleep", "1000"))
        self.compare("run -d + rm -f, ms", {e.name: (lambda e=e: cycle(e)) for e in self.engines}, self.options.runs, {"best": 0.05})

    def execute(self):
        for engine in self.engines:
            engine.run("-d", "--name", "bench-exec", IMAGE, "sleep", "1000")
        actions = {e.name: (lambda e=e: e("exec", "bench-exec", "true")) for e in self.engines}
        self.compare("exec, ms", actions, self.options.runs, {"docker": 0.05})
        for engine in self.engines:
            engine("rm", "-f", "bench-exec")

    def many(self):
        def burst(engine):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                ids = list(pool.map(lambda _: engine.run("-d", IMAGE, "sleep", "1000"), range(50)))
                list(pool.map(lambda id: engine("rm", "-f", id), ids))
        self.compare("50 containers, ms", {e.name: (lambda e=e: burst(e)) for e in self.engines}, max(3, self.options.runs // 10), {"docker": 0.2})

    def list(self):
        for count in (5, 500):
            for engine in self.engines:
                have = len(engine("ps", "-aq").splitlines())
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda _: engine("create", "--network", "none", IMAGE, "true"), range(count - have)))
            actions = {e.name: (lambda e=e: e("ps", "-a")) for e in self.engines}
            self.compare(f"ps with {count}, ms", actions, self.options.runs, {"docker": 1.0})
        for engine in self.engines:
            ids = engine("ps", "-aq").splitlines()
            for start in range(0, len(ids), 50):
                engine("rm", *ids[start:start + 50])

    def memory(self):
        berth = self.engines[0]
        ids = [berth.run("-d", IMAGE, "sleep", "1000") for _ in range(5)]
        private = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                if b"supervise" in words:
                    lines = (process / "smaps_rollup").read_text().splitlines()
                    private.append(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        berth("rm", "-f", *ids)
        median = statistics.median(private)
        met = median <= 2048
        self.missed += [] if met else ["memory"]
        print(f"{'private KiB per supervisor':28} berth {median:.0f}   aim 2048{'' if met else ', MISSED'}   [{len(private)} supervisors]", flush=True)

    def pull(self):
        with Registry(self.folder) as registry:
            image = registry.push_layers()
            def cold(engine):
                engine.forget_images()
                call(["sync"])
                pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                elapsed = timed(lambda: engine("pull", *(["--tls-verify=false"] if engine.name == "podman" else []), "-q", image))
                return elapsed
            samples = {engine.name: [] for engine in self.engines}
            runs = max(3, self.options.runs // 10)
            for _ in range(runs):
                for engine in self.engines:
                    samples[engine.name].append(cold(engine))
            self.report("pull, cold, ms", {who: statistics.median(values) for who, values in samples.items()}, {"best": 0.5}, runs)


class Registry:
    """Debian's docker-registry with an image of six layers, about 300 MB before compression."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder, "registry")
        self.port = 5999

    def __enter__(self):
        self.folder.mkdir()
        configuration = self.folder / "config.yml"
        configuration.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}\nhttp: {{addr: \"127.0.0.1:{self.port}\"}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.request("GET", "/v2/")
                return self
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("docker-registry did not come up")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer

    def put_blob(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        location = self.request("POST", "/v2/bench/blobs/uploads/").headers["Location"]
        path = location[location.index("/v2/"):]
        answer = self.request("PUT", f"{path}&digest={digest}", content, {"Content-Type": "application/octet-stream"})
        assert answer.status == 201, answer.status
        return digest

    def push_layers(self):
        layers, diffs, total = [], [], 0
        for number, members in enumerate(pick_members()):
            plain = self.folder / "layer.tar"
            with tarfile.open(plain, "w") as archive:
                for member in members:
                    archive.add(member, recursive=False)
            content = plain.read_bytes()
            total += len(content)
            packed = gzip.compress(content, 6, mtime=0)
            diffs.append("sha256:" + hashlib.sha256(content).hexdigest())
            layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": self.put_blob(packed), "size": len(packed)})
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.put_blob(config), "size": len(config)}}
        answer = self.request("PUT", "/v2/bench/manifests/1", json.dumps(manifest), {"Content-Type": manifest["mediaType"]})
        assert answer.status == 201, answer.status
        print(f"image: {len(layers)} layers, {total / 1e6:.0f} MB, {sum(layer['size'] for layer in layers) / 1e6:.0f} MB compressed")
        return f"127.0.0.1:{self.port}/bench:1"


def pick_members():
    """Files of this host's /usr, in six groups of about 55 MB."""
    groups, current, size = [], [], 0
    for folder, folders, files in os.walk("/usr"):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_size > 20 << 20:
                continue
            current.append(path)
            size += status.st_size
            if size > 55 << 20:
                groups.append(current)
                current, size = [], 0
                if len(groups) == 6:
                    return groups
    raise RuntimeError("/usr of this host is too small for the image of the pull")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--hide-unified", action="store_true", default=True)
    parser.add_argument("names", nargs="*", help="run detached execute many list memory pull")
    options = parser.parse_args()
    names = options.names or ["run", "detached", "execute", "many", "list", "memory", "pull"]
    call(["ip", "link", "set", "lo", "up"])
    folder = tempfile.mkdtemp(prefix="berth-bench-", dir="/var/tmp")
    bench = None
    try:
        bench = Bench(options, folder)
        print(f"{platform.release()}, {os.cpu_count()} processors; " + "; ".join(engine.version() for engine in bench.engines) + "; " + call(["crun", "--version"]).splitlines()[0])
        for name in names:
            getattr(bench, name)()
    finally:
        for engine in bench.engines if bench else []:
            engine.stop()
        for _ in range(20):
            subprocess.run(["umount", "-R", "-l", f"{folder}/podman/overlay", f"{folder}/docker"], capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
            time.sleep(0.2)
    if bench.missed:
        print("missed: " + ", ".join(sorted(set(bench.missed))))
        sys.exit(1)


main()
